/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rules a row can hold on x86-64.
 *
 * AGENT: called by ehframe.c through ehframe_machine.c.
 */
#include "agent/ehframe_machine.h"

#define WORD 8
#define RETURN_AT (-WORD) /* from the CFA: what a call pushes, and the CFA lies right above it */
#define CONTEXT_GREGS 40  /* of a ucontext's uc_mcontext.gregs */

enum { RBP = EHFRAME_X86_64_RBP, RSP = EHFRAME_X86_64_RSP };

static const struct feed_row other = {.cfa = FEED_CFA_OTHER};

static bool saved_at_sp(const struct ehframe_column *c, int64_t offset)
{
	return c->how == EHFRAME_COLUMN_AT && c->reg == RSP && c->value == offset;
}

/*
 * The C library's __restore_rt: everything, the CFA as well, lies in the ucontext that the kernel
 * put on the stack. Only one whose registers are all in their places is taken for it.
 */
static struct feed_row signal_row(const struct ehframe_rules *r)
{
	const int64_t fp = CONTEXT_GREGS + 10 * WORD;
	const int64_t sp = CONTEXT_GREGS + 15 * WORD, pc = CONTEXT_GREGS + 16 * WORD;
	int64_t at = r->cfa_offset;

	if (r->cfa_how != EHFRAME_CFA_DEREF || r->cfa_reg != RSP || at < INT32_MIN / 2 ||
	    at > INT32_MAX)
		return other;
	at -= sp;
	if (!saved_at_sp(&r->columns[EHFRAME_SLOT_SP], at + sp) ||
	    !saved_at_sp(&r->columns[EHFRAME_SLOT_PC], at + pc) ||
	    !saved_at_sp(&r->columns[EHFRAME_SLOT_FP], at + fp))
		return other;
	return (struct feed_row){.cfa = FEED_CFA_SIGNAL, .cfa_offset = (int32_t)at};
}

static bool set_cfa(struct feed_row *row, const struct ehframe_rules *r)
{
	static const uint8_t by_sp[] = {[EHFRAME_CFA_REGISTER] = FEED_CFA_SP,
					[EHFRAME_CFA_DEREF] = FEED_CFA_OTHER,
					[EHFRAME_CFA_DEREF_8] = FEED_CFA_SP_DEREF};
	static const uint8_t by_fp[] = {[EHFRAME_CFA_REGISTER] = FEED_CFA_FP,
					[EHFRAME_CFA_DEREF] = FEED_CFA_FP_DEREF,
					[EHFRAME_CFA_DEREF_8] = FEED_CFA_OTHER};

	if (r->cfa_how == EHFRAME_CFA_PLT) {
		row->cfa = FEED_CFA_PLT;
		row->cfa_offset = WORD;
		return true;
	}
	if (r->cfa_how == EHFRAME_CFA_OTHER || r->cfa_offset != (int32_t)r->cfa_offset)
		return false;
	row->cfa_offset = (int32_t)r->cfa_offset;
	if (r->cfa_reg != RSP && r->cfa_reg != RBP)
		return false;
	row->cfa = (r->cfa_reg == RSP ? by_sp : by_fp)[r->cfa_how];
	return row->cfa != FEED_CFA_OTHER;
}

/*
 * At the end of a realigned function GCC has rbp popped, and then the stack pointer set, but leaves
 * the rule "saved at rbp" in force: with nothing but the return address and one register left on
 * the stack, rbp is the caller's again.
 */
static bool is_stale(const struct feed_row *row)
{
	return row->cfa == FEED_CFA_SP && row->cfa_offset <= 2 * WORD;
}

static bool set_fp(struct feed_row *row, const struct ehframe_rules *r)
{
	const struct ehframe_column *c = &r->columns[EHFRAME_SLOT_FP];
	int64_t at = c->value;

	/* Who calls its value undefined has no caller that needs it. */
	if (c->how == EHFRAME_COLUMN_SAME || c->how == EHFRAME_COLUMN_UNDEFINED)
		return true;
	if (ehframe_rules_from_cfa(r, EHFRAME_SLOT_FP, &at))
		row->fp = FEED_FP_SAVED;
	else if (c->how != EHFRAME_COLUMN_AT || c->reg != RBP)
		return false;
	else if (is_stale(row))
		return true;
	else
		row->fp = FEED_FP_AT_FP;
	row->fp_offset = (int16_t)(at / WORD);
	return at % WORD == 0 && at / WORD == row->fp_offset;
}

struct feed_row ehframe_x86_64_row(const struct ehframe_rules *r, bool signal)
{
	struct feed_row row = {.fp = FEED_FP_SAME};
	int64_t pc_at;

	if (r->columns[EHFRAME_SLOT_PC].how == EHFRAME_COLUMN_UNDEFINED)
		return (struct feed_row){.cfa = FEED_CFA_ROOT};
	/* Above a signal's frame a pc is exact, which an ordinary row could not say. */
	if (signal)
		return signal_row(r);
	if (!ehframe_rules_from_cfa(r, EHFRAME_SLOT_PC, &pc_at) || pc_at != RETURN_AT ||
	    r->columns[EHFRAME_SLOT_SP].how != EHFRAME_COLUMN_SAME || !set_cfa(&row, r) ||
	    !set_fp(&row, r))
		return other;
	return row;
}
