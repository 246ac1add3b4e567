/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind.h - walks a stack by the tables that the agent published. Context: HANDLER. Reads nothing but
 * the thread's own stack, within bounds that the caller vouches for, other stacks through the kernel,
 * and the tables, whose every offset is checked: the agent is not trusted with the host's life.
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
	/* aarch64 only. A step by the frame pointer does not tell where the caller's sp is. */
	bool sp_unknown;
	uintptr_t lr; /* where to return to, perhaps; of exact frames only */
};

#define UNWIND_WINDOW 64 /* bytes; of a page, so that it can be read or not as a whole */

/*
 * What frames may lie in. A thread's own stack, [low, high), is read as it is. A walk may begin on
 * another (a coroutine's, an alternate one for signals, a segment of a split one) or cross over to one:
 * that is "foreign", of unknown extent, and read through the kernel, which refuses what is not there.
 */
struct unwind_stack {
	uintptr_t low, high;
	uintptr_t own_low, own_high; /* of the thread's own; 0: this walk stays where it began */
	bool foreign, crossed;
	uintptr_t window_at; /* of a foreign stack, what was read last; 0: nothing */
	uint64_t window[UNWIND_WINDOW / 8];
};

/*
 * An address as high as the process has any. Above its highest bit, a return address on aarch64 may
 * carry a signature. Writer: BOOT, before the first tick.
 */
extern uintptr_t unwind_top;

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
size_t unwind_frames(struct unwind_cursor cursor, struct unwind_stack *stack,
		   const struct unwind_tables *tables, uint64_t *frames, size_t max, bool *complete);

#endif
