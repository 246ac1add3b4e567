/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind.c - the walk: for each frame, which object its program counter is in, and a step by that
 * object's table. HANDLER. A walk that does not reach the root is not patched up here: the caller
 * copies the stack, and the agent, which has all registers and all of DWARF, walks that.
 */
#include <ucontext.h>

#include "shim/regs.h"
#include "shim/unwind.h"
#include "shim/unwind_code.h"
#include "shim/unwind_table.h"
#include "shim/sigsafe.h"

/*
 * A return address that is a function's first byte, with nothing described before it, no call has left:
 * it was put there. Such is the end of a stack that was made by hand (makecontext's is), unless it is
 * what handlers return to; on a thread's own it is a pointer that a walk which went astray has met.
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

static bool is_return_address(const struct unwind_tables *t, uintptr_t pc)
{
	struct feed_mapping mapping;
	uint64_t words[UNWIND_CODE_WORDS(UNWIND_CALL_MAX)];
	const uint8_t *before;

	if (!unwind_find_mapping(t, pc - 1, &mapping) || pc - mapping.start < UNWIND_CALL_MAX)
		return false;
	before = unwind_code_read(words, pc - UNWIND_CALL_MAX, UNWIND_CALL_MAX);
	return before && unwind_code_is_call(before);
}

/* Not inlined: what it reads is off the stack again when the walk goes on. */
__attribute__((noinline)) static enum unwind_frame frame_at(uintptr_t pc,
							    const struct feed_mapping *mapping)
{
	uint64_t words[UNWIND_CODE_WORDS(UNWIND_CODE_BEFORE + UNWIND_CODE_AFTER)];
	const uint8_t *code;

	if (pc - mapping->start < UNWIND_CODE_BEFORE || mapping->end - pc < UNWIND_CODE_AFTER)
		return UNWIND_FRAME_UP;
	code = unwind_code_read(words, pc - UNWIND_CODE_BEFORE,
				UNWIND_CODE_BEFORE + UNWIND_CODE_AFTER);
	return code ? unwind_code_frame(code) : UNWIND_FRAME_UP;
}

/*
 * Code that nobody describes (a JIT's, a runtime's own stubs, hand-written assembly). By the frame
 * pointer; a wrong guess ends at the next frame, which is then in no mapping, or in one more rule that
 * does not fit. But where execution is, the frame may not be there yet, or not any more.
 */
static enum unwind_step step_undescribed(struct unwind_cursor *c, struct unwind_stack *stack,
					 const struct unwind_tables *t,
					 const struct feed_mapping *mapping)
{
	struct unwind_cursor caller = *c;
	enum unwind_frame frame;

	frame = c->exact && REGS_CALL_PUSHES ? frame_at(c->pc, mapping) : UNWIND_FRAME_UP;
	if (frame == UNWIND_FRAME_UP ||
	    !unwind_pop(&caller, stack, frame == UNWIND_FRAME_PUSHED) ||
	    !is_return_address(t, caller.pc))
		return unwind_frame_pointer(c, stack);
	*c = caller;
	return UNWIND_STEPPED;
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
		return step_undescribed(c, stack, t, mapping);
	if (!unwind_find_row(t, mapping, pc, &row))
		return UNWIND_STUCK;
	if (row.cfa == FEED_CFA_NONE && !c->exact && starts_function(c, t, mapping, &row)) {
		c->exact = true;
		return row.cfa == FEED_CFA_SIGNAL ? unwind_apply(c, stack, &row)
						  : unwind_no_caller(stack);
	}
	if (row.cfa == FEED_CFA_NONE)
		return step_undescribed(c, stack, t, mapping);
	return unwind_apply(c, stack, &row);
}

static uint64_t entry(const struct unwind_cursor *c)
{
	return c->pc | (c->exact ? FEED_FRAME_EXACT : 0);
}

/*
 * A leaf whose rule leads into no code: subroutines inside of a large piece of assembly that one rule
 * describes as a whole (LuaJIT's interpreter). If the word at sp is a return address, it is theirs.
 */
static bool is_subroutine(struct unwind_cursor *leaf, const struct unwind_cursor *lost,
			  struct unwind_stack *stack, const struct unwind_tables *t)
{
	struct feed_mapping mapping;

	return REGS_CALL_PUSHES && !lost->exact && !unwind_find_mapping(t, lost->pc - 1, &mapping) &&
	       unwind_pop(leaf, stack, false) && is_return_address(t, leaf->pc);
}

size_t unwind_frames(struct unwind_cursor c, struct unwind_stack *stack,
		   const struct unwind_tables *t, uint64_t *frames, size_t max, bool *complete)
{
	struct feed_mapping mapping = {0};
	struct unwind_cursor leaf = c;
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
			if (n != 2 || !leaf.exact || !is_subroutine(&leaf, &c, stack, t))
				return n;
			/* Popped, it is no leaf any more: this happens once. */
			c = leaf;
			n = 1;
		}
	}
	*complete = true;
	return n;
}
