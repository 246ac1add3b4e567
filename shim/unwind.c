/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind.c - the walk: for each frame, which object its program counter is in, and a step by that
 * object's table. HANDLER. A walk that does not reach the root is not patched up here: the caller
 * copies the stack, and the agent, which has all registers and all of DWARF, walks that.
 */
#include "shim/unwind.h"
#include "shim/unwind_table.h"
#include "shim/sigsafe.h"

/*
 * A return address that is a function's first byte, with nothing described before it, no call has left:
 * it was put there. Such is the end of a stack that was made by hand (makecontext's is), unless it is
 * what handlers return to.
 */
static bool starts_function(const struct unwind_cursor *c, const struct unwind_tables *t,
			    const struct feed_mapping *mapping, struct feed_row *row)
{
	struct feed_row at;

	if (c->pc >= mapping->end || !unwind_find_row(t, mapping, c->pc, &at) ||
	    at.start != c->pc - mapping->base || at.cfa == FEED_CFA_NONE)
		return false;
	*row = at;
	return true;
}

static enum unwind_step step(struct unwind_cursor *c, struct unwind_stack *stack,
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
	if (row.cfa == FEED_CFA_NONE && !c->exact && starts_function(c, t, mapping, &row)) {
		c->exact = true;
		return row.cfa == FEED_CFA_SIGNAL ? unwind_apply(c, stack, &row) : UNWIND_ROOT;
	}
	/* Code that nobody describes (a runtime's own stubs, hand-written assembly). A wrong guess ends
	 * at the next frame, which is then in no mapping, or in one more rule that does not fit. */
	if (row.cfa == FEED_CFA_NONE)
		return unwind_frame_pointer(c, stack);
	return unwind_apply(c, stack, &row);
}

static uint64_t entry(const struct unwind_cursor *c)
{
	return c->pc | (c->exact ? FEED_FRAME_EXACT : 0);
}

size_t unwind_frames(struct unwind_cursor c, struct unwind_stack *stack,
		   const struct unwind_tables *t, uint64_t *frames, size_t max, bool *complete)
{
	struct feed_mapping mapping = {0};
	size_t n = 0;

	*complete = false;
	while (n < max) {
		frames[n++] = entry(&c);
		switch (step(&c, stack, t, &mapping)) {
		case UNWIND_STEPPED:
			break;
		case UNWIND_ROOT:
			frames[n - 1] = entry(&c);
			*complete = true;
			return n;
		case UNWIND_STUCK:
			return n;
		}
	}
	*complete = true;
	return n;
}
