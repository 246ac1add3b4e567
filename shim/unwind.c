/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind.c - the walk: for each frame, which object its program counter is in, and a step by that
 * object's table. HANDLER. A walk that does not reach the root is not patched up here: the caller
 * copies the stack, and the agent, which has all registers and all of DWARF, walks that.
 */
#include "shim/unwind.h"
#include "shim/unwind_table.h"
#include "shim/sigsafe.h"

static enum unwind_step step(struct unwind_cursor *c, const struct unwind_stack *stack,
			     const struct unwind_tables *t, struct feed_mapping *mapping)
{
	/* A return address may be the first byte behind a function that never returns. */
	uintptr_t pc = c->exact ? c->pc : c->pc - 1;
	struct feed_row row;

	if ((pc < mapping->start || pc >= mapping->end) && !unwind_find_mapping(t, pc, mapping))
		return UNWIND_STUCK;
	if (mapping->row_count == FEED_FRAME_POINTERS)
		return unwind_frame_pointer(c, stack);
	if (!unwind_find_row(t, mapping, pc, &row))
		return UNWIND_STUCK;
	/* Code that nobody describes (a runtime's own stubs, hand-written assembly). A wrong guess ends
	 * at the next frame, which is then in no mapping, or in one more rule that does not fit. */
	if (row.cfa == FEED_CFA_NONE)
		return unwind_frame_pointer(c, stack);
	return unwind_apply(c, stack, &row);
}

size_t unwind_frames(struct unwind_cursor c, const struct unwind_stack *stack,
		   const struct unwind_tables *t, uint64_t *frames, size_t max, bool *complete)
{
	struct feed_mapping mapping = {0};
	size_t n = 0;

	*complete = false;
	while (n < max) {
		frames[n++] = c.pc | (c.exact ? FEED_FRAME_EXACT : 0);
		switch (step(&c, stack, t, &mapping)) {
		case UNWIND_STEPPED:
			break;
		case UNWIND_ROOT:
			*complete = true;
			return n;
		case UNWIND_STUCK:
			return n;
		}
	}
	*complete = true;
	return n;
}
