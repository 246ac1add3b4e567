/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_aarch64.c - one step by a row, or by the chain of frame records (AAPCS64, 6.4.6). HANDLER:
 * no lock, a few words of stack; every address is checked before it is read. The steps are compiled
 * on any 64-bit machine, for the tests; a host uses those of its own.
 */
#include "shim/unwind_stack.h"
#include "shim/unwind_table.h"
#include "shim/sigsafe.h"

#define WORD UNWIND_WORD

/* Where a signal's ucontext keeps what a walk needs: uc_mcontext is at 176, its regs[] 8 behind. */
#define CONTEXT_REG(n) (176 + 8 + (n)*8)
#define CONTEXT_FP CONTEXT_REG(29)
#define CONTEXT_LR CONTEXT_REG(30)
#define CONTEXT_SP CONTEXT_REG(31)
#define CONTEXT_PC CONTEXT_REG(32)

uintptr_t unwind_top;

/*
 * A return address without its signature, which processors with pointer authentication put above
 * the bits that the kernel gives user addresses (39 to 52), and a stack's top shows how many those
 * are. Taken off always: whether one is there, the code may decide at run time.
 */
static uintptr_t unsigned_address(uintptr_t address, struct unwind_stack *stack)
{
	uintptr_t top = stack->high | stack->own_high | unwind_top;

	return top ? address & (UINTPTR_MAX >> __builtin_clzl(top)) : address;
}

static enum unwind_step move(struct unwind_cursor *c, struct unwind_stack *stack, uintptr_t pc,
			     uintptr_t sp, uintptr_t fp)
{
	pc = unsigned_address(pc, stack);
	if (!pc)
		return unwind_no_caller(stack);
	*c = (struct unwind_cursor){.pc = pc, .sp = sp, .fp = fp};
	return UNWIND_STEPPED;
}

static enum unwind_step leave_signal(struct unwind_cursor *c, struct unwind_stack *stack,
				     int32_t offset)
{
	uintptr_t context = c->sp + (uintptr_t)(intptr_t)offset;
	struct unwind_cursor to = {.exact = true};

	if (!unwind_stack_load(stack, context + CONTEXT_PC, &to.pc) ||
	    !unwind_stack_load(stack, context + CONTEXT_SP, &to.sp) ||
	    !unwind_stack_load(stack, context + CONTEXT_FP, &to.fp) ||
	    !unwind_stack_load(stack, context + CONTEXT_LR, &to.lr))
		return UNWIND_STUCK;
	if (!unwind_stack_interrupted(stack, c->sp, to.sp, 0))
		return UNWIND_STUCK;
	*c = to;
	return UNWIND_STEPPED;
}

static uintptr_t words(int n)
{
	return (uintptr_t)((intptr_t)n * (intptr_t)WORD);
}

/* The canonical frame address; false: not by this row. */
static bool frame_address(const struct unwind_cursor *c, const struct feed_row *row, uintptr_t *cfa)
{
	*cfa = (row->cfa == FEED_CFA_FP ? c->fp : c->sp) + (uintptr_t)(intptr_t)row->cfa_offset;
	if (row->cfa == FEED_CFA_FP)
		return true;
	if (row->cfa != FEED_CFA_SP)
		return false;
	if (!c->sp_unknown)
		return true;
	/* While a function calls, its frame pointer is at its frame record: the CFA can be told
	 * from where the rule has that. */
	*cfa = c->fp - words(row->fp_offset);
	return row->fp == FEED_FP_RECORD;
}

/* What the row says was saved; the rest stays. */
static bool saved(struct unwind_stack *stack, const struct feed_row *row, uintptr_t cfa,
		  uintptr_t *fp, uintptr_t *pc)
{
	uintptr_t at = cfa + words(row->fp_offset);

	switch (row->fp) {
	case FEED_FP_SAME:
		return true;
	case FEED_FP_SAVED:
		return unwind_stack_load(stack, at, fp);
	case FEED_FP_RECORD:
		return unwind_stack_load(stack, at, fp) && unwind_stack_load(stack, at + WORD, pc);
	case FEED_FP_LR:
		return unwind_stack_load(stack, at, pc);
	case FEED_FP_APART:
		return unwind_stack_load(stack, cfa + words((int8_t)row->fp_offset), fp) &&
		       unwind_stack_load(stack, cfa + words(row->fp_offset >> 8), pc);
	}
	return false;
}

enum unwind_step unwind_aarch64_apply(struct unwind_cursor *c, struct unwind_stack *stack,
				      const struct feed_row *row)
{
	bool in_lr = row->fp == FEED_FP_SAME || row->fp == FEED_FP_SAVED;
	uintptr_t cfa, pc = c->lr, fp = c->fp;

	if (row->cfa == FEED_CFA_ROOT)
		return UNWIND_ROOT;
	/* The kernel has put a frame record into a signal's frame, too. */
	if (row->cfa == FEED_CFA_SIGNAL)
		return c->sp_unknown ? unwind_aarch64_frame_pointer(c, stack)
				     : leave_signal(c, stack, row->cfa_offset);
	/* Who has called somebody has saved lr before, and what it saved lies in its frame. A leaf
	 * may have no frame at all. */
	if ((in_lr && !c->exact) || !frame_address(c, row, &cfa))
		return UNWIND_STUCK;
	/* Only a frame pointer may lead to another stack, from the function that switched. */
	if ((cfa < c->sp || (cfa == c->sp && !c->exact) || cfa > stack->high) &&
	    ((row->cfa != FEED_CFA_FP && !c->sp_unknown) || !unwind_stack_cross(stack, c->fp)))
		return UNWIND_STUCK;
	if (!saved(stack, row, cfa, &fp, &pc))
		return UNWIND_STUCK;
	return move(c, stack, pc, cfa, fp);
}

enum unwind_step unwind_aarch64_frame_pointer(struct unwind_cursor *c, struct unwind_stack *stack)
{
	enum unwind_step step;
	uintptr_t pc, fp;

	if (c->fp < c->sp || !unwind_stack_load(stack, c->fp, &fp) ||
	    !unwind_stack_load(stack, c->fp + WORD, &pc))
		return UNWIND_STUCK;
	/* Locals may lie above the record: the caller's sp is there or higher. */
	step = move(c, stack, pc, c->fp + 2 * WORD, fp);
	c->sp_unknown = step == UNWIND_STEPPED;
	return step;
}

#if defined(__aarch64__)

enum unwind_step unwind_apply(struct unwind_cursor *c, struct unwind_stack *stack,
			      const struct feed_row *row)
{
	return unwind_aarch64_apply(c, stack, row);
}

/* Who has been called has the return address in a register. */
bool unwind_pop(struct unwind_cursor *c, struct unwind_stack *stack, bool with_fp)
{
	return false;
}

enum unwind_step unwind_frame_pointer(struct unwind_cursor *c, struct unwind_stack *stack)
{
	return unwind_aarch64_frame_pointer(c, stack);
}

#endif
