/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_x86_64.c - one step by a row, or by the frame pointer for code made at run time. HANDLER:
 * no lock, a few words of stack; every address is checked before it is read.
 */
#include <ucontext.h>

#include "shim/regs.h"
#include "shim/unwind_stack.h"
#include "shim/unwind_table.h"
#include "shim/sigsafe.h"

#if defined(__x86_64__)

#define WORD UNWIND_WORD
/* Where a signal's ucontext keeps what a walk needs. */
#define CONTEXT_WORD(reg) (offsetof(ucontext_t, uc_mcontext.gregs) + (reg) * sizeof(greg_t))
#define CONTEXT_PC CONTEXT_WORD(REG_RIP)
#define CONTEXT_SP CONTEXT_WORD(REG_RSP)
#define CONTEXT_FP CONTEXT_WORD(REG_RBP)
/* The first instruction of a 16-byte PLT slot is a jump of 11 bytes or a push that ends there. */
#define PLT_SLOT 16
#define PLT_PUSHED 11

/* Field by field: what other machines' cursors have besides is left alone. */
static enum unwind_step move(struct unwind_cursor *c, uintptr_t pc, uintptr_t sp, uintptr_t fp,
			     bool exact)
{
	c->pc = pc;
	c->sp = sp;
	c->fp = fp;
	c->exact = exact;
	return UNWIND_STEPPED;
}

static enum unwind_step leave_signal(struct unwind_cursor *c, struct unwind_stack *stack,
				     int32_t offset)
{
	uintptr_t context = c->sp + (uintptr_t)(intptr_t)offset, pc, sp, fp;

	if (!unwind_stack_load(stack, context + CONTEXT_PC, &pc) ||
	    !unwind_stack_load(stack, context + CONTEXT_SP, &sp) ||
	    !unwind_stack_load(stack, context + CONTEXT_FP, &fp))
		return UNWIND_STUCK;
	if (!unwind_stack_interrupted(stack, c->sp, sp, REGS_RED_ZONE))
		return UNWIND_STUCK;
	return move(c, pc, sp, fp, true);
}

static uintptr_t words(int16_t n)
{
	return (uintptr_t)((intptr_t)n * (intptr_t)WORD);
}

/* The canonical frame address; false: not by this row. */
static bool frame_address(const struct unwind_cursor *c, struct unwind_stack *stack,
			  const struct feed_row *row, uintptr_t *cfa)
{
	uintptr_t offset = (uintptr_t)(intptr_t)row->cfa_offset;

	switch (row->cfa) {
	case FEED_CFA_SP:
		*cfa = c->sp + offset;
		return true;
	case FEED_CFA_FP:
		*cfa = c->fp + offset;
		return true;
	case FEED_CFA_FP_DEREF:
		return unwind_stack_load(stack, c->fp + offset, cfa);
	case FEED_CFA_SP_DEREF:
		if (!unwind_stack_load(stack, c->sp + offset, cfa))
			return false;
		*cfa += WORD;
		return true;
	case FEED_CFA_PLT:
		*cfa = c->sp + offset + (c->pc % PLT_SLOT >= PLT_PUSHED ? WORD : 0);
		return true;
	}
	return false;
}

enum unwind_step unwind_apply(struct unwind_cursor *c, struct unwind_stack *stack,
			      const struct feed_row *row)
{
	uintptr_t cfa, pc, fp = c->fp;

	if (row->cfa == FEED_CFA_ROOT)
		return UNWIND_ROOT;
	if (row->cfa == FEED_CFA_SIGNAL)
		return leave_signal(c, stack, row->cfa_offset);
	if (!frame_address(c, stack, row, &cfa))
		return UNWIND_STUCK;
	/* A frame lies above its callee's, or whatever else is wrong, the walk ends; only a frame
	 * pointer may lead to another stack, from the function that switched. */
	if ((cfa <= c->sp || cfa > stack->high) &&
	    (row->cfa != FEED_CFA_FP || !unwind_stack_cross(stack, c->fp)))
		return UNWIND_STUCK;
	if (!unwind_stack_load(stack, cfa - WORD, &pc))
		return UNWIND_STUCK;
	if (row->fp != FEED_FP_SAME &&
	    !unwind_stack_load(
		stack, (row->fp == FEED_FP_AT_FP ? c->fp : cfa) + words(row->fp_offset), &fp))
		return UNWIND_STUCK;
	if (!pc)
		return unwind_no_caller(stack);
	return move(c, pc, cfa, fp, false);
}

bool unwind_pop(struct unwind_cursor *c, struct unwind_stack *stack, bool with_fp)
{
	uintptr_t pc, sp = c->sp, fp = c->fp;

	if (with_fp) {
		if (!unwind_stack_load(stack, sp, &fp))
			return false;
		sp += WORD;
	}
	if (!unwind_stack_load(stack, sp, &pc))
		return false;
	move(c, pc, sp + WORD, fp, false);
	return true;
}

enum unwind_step unwind_frame_pointer(struct unwind_cursor *c, struct unwind_stack *stack)
{
	uintptr_t pc, fp;

	if (c->fp < c->sp || !unwind_stack_load(stack, c->fp, &fp) ||
	    !unwind_stack_load(stack, c->fp + WORD, &pc))
		return UNWIND_STUCK;
	if (!pc)
		return unwind_no_caller(stack);
	return move(c, pc, c->fp + 2 * WORD, fp, false);
}

#endif
