/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rules a row can hold on aarch64: the return address is in lr, or saved, mostly next to the
 * frame pointer.
 *
 * AGENT: called by ehframe.c through ehframe_machine.c.
 */
#include "agent/ehframe_machine.h"

#define WORD 8
#define PUSHED_WORDS 2
#define SIGINFO 128 /* bytes, below the ucontext in a signal's frame */

static const struct feed_row other = {.cfa = FEED_CFA_OTHER};

const struct feed_row ehframe_aarch64_signal = {.cfa = FEED_CFA_SIGNAL, .cfa_offset = SIGINFO};

/*
 * Kernels before 5.8 describe their sigreturn by the frame record that they leave above the registers,
 * which tells nothing of sp: the description is known by its shape, and the row says what is meant.
 */
static struct feed_row signal_row(const struct ehframe_rules *r)
{
	int64_t fp, pc;

	if (r->cfa_how != EHFRAME_CFA_REGISTER || r->cfa_reg != EHFRAME_AARCH64_X29 || r->cfa_offset ||
	    !ehframe_rules_from_cfa(r, EHFRAME_SLOT_FP, &fp) || fp != 0 ||
	    !ehframe_rules_from_cfa(r, EHFRAME_SLOT_PC, &pc) || pc != WORD)
		return other;
	return ehframe_aarch64_signal;
}

static bool set_cfa(struct feed_row *row, const struct ehframe_rules *r)
{
	if (r->cfa_how != EHFRAME_CFA_REGISTER || r->cfa_offset != (int32_t)r->cfa_offset)
		return false;
	row->cfa_offset = (int32_t)r->cfa_offset;
	row->cfa = r->cfa_reg == EHFRAME_AARCH64_SP ? FEED_CFA_SP : FEED_CFA_FP;
	return r->cfa_reg == EHFRAME_AARCH64_SP || r->cfa_reg == EHFRAME_AARCH64_X29;
}

/* Saved: its place in words from the CFA. false: in no way that a row can hold. */
static bool place(const struct ehframe_rules *r, enum ehframe_slot slot, bool *saved, int16_t *words)
{
	uint8_t how = r->columns[slot].how;
	int64_t at;

	*saved = how != EHFRAME_COLUMN_SAME && how != EHFRAME_COLUMN_UNDEFINED;
	*words = 0;
	if (!*saved)
		return true;
	if (!ehframe_rules_from_cfa(r, slot, &at))
		return false;
	*words = (int16_t)(at / WORD);
	return at % WORD == 0 && at / WORD == *words;
}

/*
 * glibc describes _dl_runtime_resolve as if the 16 bytes that a PLT's header has pushed were its
 * caller's: lr is then above the CFA, where nothing that a frame saved can be.
 */
static bool leaves_push_out(bool pc_saved, int16_t pc)
{
	return pc_saved && pc == 1;
}

static bool set_saved(struct feed_row *row, const struct ehframe_rules *r)
{
	bool fp_saved, pc_saved;
	int16_t fp, pc;

	if (!place(r, EHFRAME_SLOT_FP, &fp_saved, &fp) ||
	    !place(r, EHFRAME_SLOT_PC, &pc_saved, &pc))
		return false;
	if (leaves_push_out(pc_saved, pc)) {
		if (fp < INT16_MIN + PUSHED_WORDS || row->cfa_offset > INT32_MAX - PUSHED_WORDS * WORD)
			return false;
		row->cfa_offset += PUSHED_WORDS * WORD;
		pc -= PUSHED_WORDS;
		fp -= PUSHED_WORDS;
	}
	row->fp_offset = fp_saved ? fp : pc;
	if (!pc_saved) {
		row->fp = fp_saved ? FEED_FP_SAVED : FEED_FP_SAME;
	} else if (!fp_saved) {
		row->fp = FEED_FP_LR;
	} else if (pc == fp + 1) {
		row->fp = FEED_FP_RECORD;
	} else {
		row->fp = FEED_FP_APART;
		row->fp_offset = (int16_t)((uint16_t)pc << 8 | (uint8_t)fp);
		return fp == (int8_t)fp && pc == (int8_t)pc;
	}
	return true;
}

struct feed_row ehframe_aarch64_row(const struct ehframe_rules *r, bool signal)
{
	struct feed_row row = {.fp = FEED_FP_SAME};

	if (r->columns[EHFRAME_SLOT_PC].how == EHFRAME_COLUMN_UNDEFINED)
		return (struct feed_row){.cfa = FEED_CFA_ROOT};
	if (signal)
		return signal_row(r);
	if (r->columns[EHFRAME_SLOT_SP].how != EHFRAME_COLUMN_SAME || !set_cfa(&row, r) ||
	    !set_saved(&row, r))
		return other;
	return row;
}
