/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind.h - walks a stack by the tables that the agent published. Context: HANDLER. Reads nothing but
 * the thread's own stack, within bounds that the caller vouches for, and the tables, whose every
 * offset is checked: the agent is not trusted with the host's life.
 */
#ifndef SPANPROF_SHIM_UNWIND_H
#define SPANPROF_SHIM_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/feed.h"

struct unwind_cursor {
	uintptr_t pc, sp, fp;
	bool exact; /* pc is where execution is, not a return address */
};

/* [low, high) can be read, now and by this thread. */
struct unwind_stack {
	uintptr_t low, high;
};

struct unwind_tables {
	const uint8_t *base;
	size_t size;
	uint32_t snapshot; /* offset of the struct feed_snapshot; 0: none */
	uint32_t maps_epoch;
};

/*
 * Frames from cursor on, leaf first, at most max. *complete: the root was reached, or max was; if not,
 * what was found is not worth keeping: the agent should walk a copy of the stack instead.
 */
size_t unwind_frames(struct unwind_cursor cursor, const struct unwind_stack *stack,
		   const struct unwind_tables *tables, uint64_t *frames, size_t max, bool *complete);

#endif
