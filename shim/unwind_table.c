/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_table.c - finds the row of a program counter and steps by it; or by the frame pointer, for
 * code made at run time. HANDLER: no lock, a few words of stack. The tables may change under
 * a handler that was slow: every index is bounded, every search ends, every address is checked before
 * it is read, and the caller looks whether the snapshot is still the same when it has done.
 */
#include <ucontext.h>

#include "shim/regs.h"
#include "shim/unwind_stack.h"
#include "shim/unwind_table.h"
#include "shim/sigsafe.h"

#define WORD sizeof(uintptr_t)

#if defined(__x86_64__)
/* Where a signal's ucontext keeps what a walk needs. */
#define CONTEXT_WORD(reg) (offsetof(ucontext_t, uc_mcontext.gregs) + (reg) * sizeof(greg_t))
#define CONTEXT_PC CONTEXT_WORD(REG_RIP)
#define CONTEXT_SP CONTEXT_WORD(REG_RSP)
#define CONTEXT_FP CONTEXT_WORD(REG_RBP)
/* The first instruction of a 16-byte PLT slot is a jump of 11 bytes or a push that ends there. */
#define PLT_SLOT 16
#define PLT_PUSHED 11
#endif

static bool within(const struct unwind_tables *t, uint64_t offset, uint64_t count, uint64_t size)
{
	return offset <= t->size && count <= (t->size - offset) / size;
}

bool unwind_find_mapping(const struct unwind_tables *t, uintptr_t pc, struct feed_mapping *mapping)
{
	const struct feed_snapshot *snapshot =
		(const struct feed_snapshot *)(t->base + t->snapshot);
	uint32_t low = 0, high;

	if (!t->snapshot || t->snapshot % 8 || !within(t, t->snapshot, 1, sizeof(*snapshot)))
		return false;
	high = __atomic_load_n(&snapshot->count, __ATOMIC_RELAXED);
	if (snapshot->maps_epoch != t->maps_epoch ||
	    !within(t, t->snapshot + sizeof(*snapshot), high, sizeof(*mapping)))
		return false;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		*mapping = snapshot->mappings[middle];
		if (pc < mapping->start)
			high = middle;
		else if (pc >= mapping->end)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/* The index says between which rows to look: [low, high). */
static bool narrow(const struct unwind_tables *t, const struct feed_mapping *mapping,
		   const struct feed_row *rows, uint32_t at, uint32_t *low, uint32_t *high)
{
	uint64_t offset = mapping->rows_offset + (uint64_t)mapping->row_count * sizeof(*rows);
	uint64_t count = feed_index_count(rows[mapping->row_count - 1].start);
	const uint32_t *index = (const uint32_t *)(t->base + offset);
	uint32_t chunk = at / FEED_INDEX_BYTES;

	if (!within(t, offset, count, sizeof(*index)))
		return false;
	if (chunk > count - 2)
		chunk = (uint32_t)count - 2;
	*low = index[chunk];
	*high = index[chunk + 1] + 1;
	return *low < *high && *high <= mapping->row_count;
}

bool unwind_find_row(const struct unwind_tables *t, const struct feed_mapping *mapping,
		     uintptr_t pc, struct feed_row *row)
{
	const struct feed_row *rows = (const struct feed_row *)(t->base + mapping->rows_offset);
	uint64_t at = pc - mapping->base;
	uint32_t low, high;

	if (!mapping->row_count || mapping->rows_offset % 4 || at > UINT32_MAX ||
	    !within(t, mapping->rows_offset, mapping->row_count, sizeof(*row)) ||
	    !narrow(t, mapping, rows, (uint32_t)at, &low, &high))
		return false;
	/* The last row that starts at or before. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (rows[middle].start <= at)
			low = middle;
		else
			high = middle;
	}
	*row = rows[low];
	return row->start <= at;
}

static enum unwind_step leave_signal(struct unwind_cursor *c, struct unwind_stack *stack,
				     int32_t offset)
{
	uintptr_t context = c->sp + (uintptr_t)(intptr_t)offset, pc, sp, fp;

	if (!unwind_stack_load(stack, context + CONTEXT_PC, &pc) || !unwind_stack_load(stack, context + CONTEXT_SP, &sp) ||
	    !unwind_stack_load(stack, context + CONTEXT_FP, &fp))
		return UNWIND_STUCK;
	/* Above, unless the handler ran on an alternate stack. */
	if ((sp <= c->sp || sp >= stack->high) && !unwind_stack_cross(stack, sp - REGS_RED_ZONE))
		return UNWIND_STUCK;
	*c = (struct unwind_cursor){pc, sp, fp, true};
	return UNWIND_STEPPED;
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
	/* A frame lies above its callee's, or whatever else is wrong, the walk ends; only a frame pointer
	 * may lead to another stack, from the function that switched. */
	if ((cfa <= c->sp || cfa > stack->high) &&
	    (row->cfa != FEED_CFA_FP || !unwind_stack_cross(stack, c->fp)))
		return UNWIND_STUCK;
	if (!unwind_stack_load(stack, cfa - WORD, &pc))
		return UNWIND_STUCK;
	if (row->fp != FEED_FP_SAME &&
	    !unwind_stack_load(stack, (row->fp == FEED_FP_AT_FP ? c->fp : cfa) + words(row->fp_offset), &fp))
		return UNWIND_STUCK;
	if (!pc)
		return UNWIND_ROOT;
	*c = (struct unwind_cursor){pc, cfa, fp, false};
	return UNWIND_STEPPED;
}

enum unwind_step unwind_frame_pointer(struct unwind_cursor *c, struct unwind_stack *stack)
{
	uintptr_t pc, fp;

	if (c->fp < c->sp || !unwind_stack_load(stack, c->fp, &fp) || !unwind_stack_load(stack, c->fp + WORD, &pc))
		return UNWIND_STUCK;
	if (!pc)
		return UNWIND_ROOT;
	*c = (struct unwind_cursor){pc, c->fp + 2 * WORD, fp, false};
	return UNWIND_STEPPED;
}
