/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extent.c - first fit. AGENT. There are few parts (objects of a service's processes, a snapshot for
 * each distinct map), so a list in order is enough.
 */
#include <stdlib.h>

#include "agent/extent.h"

uint32_t extent_take(struct extents *extents, uint64_t size)
{
	struct extent **link = &extents->first, *e;
	uint64_t start = EXTENT_ALIGN;

	size = (size + EXTENT_ALIGN - 1) & ~(uint64_t)(EXTENT_ALIGN - 1);
	for (; *link && (*link)->offset - start < size; link = &(*link)->next)
		start = (uint64_t)(*link)->offset + (*link)->size;
	if (!size || start + size > extents->area)
		return EXTENT_NONE;
	e = malloc(sizeof(*e));
	if (!e)
		return EXTENT_NONE;
	*e = (struct extent){*link, (uint32_t)start, (uint32_t)size};
	*link = e;
	return e->offset;
}

void extent_give(struct extents *extents, uint32_t offset)
{
	for (struct extent **link = &extents->first; *link; link = &(*link)->next) {
		struct extent *e = *link;

		if (e->offset != offset)
			continue;
		*link = e->next;
		free(e);
		return;
	}
}

void extent_release(struct extents *extents)
{
	while (extents->first)
		extent_give(extents, extents->first->offset);
}
