/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extent.h - hands out parts of a fixed area by offset: first fit over a sorted list. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_EXTENT_H
#define SPANPROF_AGENT_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

#define EXTENT_ALIGN 8U
#define EXTENT_NONE 0U /* no offset: the area's first bytes are never handed out */

struct extent {
	struct extent *next;
	uint32_t offset, size;
};

struct extents {
	struct extent *first;
	uint32_t area;
};

/* EXTENT_NONE: no room, or no memory. */
uint32_t extent_take(struct extents *extents, uint64_t size);
void extent_give(struct extents *extents, uint32_t offset);
void extent_release(struct extents *extents);

#endif
