/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rules a row can hold, and the few location expressions that toolchains emit.
 *
 * AGENT: called by ehframe_program.c and ehframe.c. An expression is never evaluated: it is one of
 * the known ones, byte for byte, or the row sends the walk to the agent.
 */
#include "agent/ehframe_rules.h"

#include <string.h>
#include <sys/ucontext.h>

#define WORD 8
#define RETURN_AT (-WORD) /* from the CFA: what a call pushes, and the CFA lies right above it */
#define OP_DEREF 0x06
#define OP_PLUS_UCONST 0x23
#define OP_BREG0 0x70
#define OP_BREG31 0x8f

static const struct feed_row other = {.cfa = FEED_CFA_OTHER};

/* deref, plus_uconst 8, and nothing more: OpenSSL's perlasm keeps the caller's rsp below a push. */
static bool is_deref_8(const struct cfa_bytes *b)
{
	static const uint8_t ops[] = {OP_DEREF, OP_PLUS_UCONST, WORD};

	return b->end - b->at == sizeof(ops) && !memcmp(b->at, ops, sizeof(ops));
}

/* breg<reg> offset; what follows is left in rest. */
static bool base(const struct cfa_bytes *block, uint8_t *reg, int64_t *offset,
		 struct cfa_bytes *rest)
{
	uint8_t op;

	*rest = *block;
	if (!cfa_u8(rest, &op) || op < OP_BREG0 || op > OP_BREG31 || !cfa_sleb(rest, offset))
		return false;
	*reg = op - OP_BREG0;
	return true;
}

/* breg<reg> offset, and nothing more unless a deref. */
static bool based(const struct cfa_bytes *block, uint8_t *reg, int64_t *offset, bool *deref)
{
	struct cfa_bytes b;

	if (!base(block, reg, offset, &b))
		return false;
	*deref = b.at < b.end && *b.at == OP_DEREF;
	return b.at + *deref == b.end;
}

/*
 * binutils describes a whole .plt by one expression: rsp + 8, and 8 more once the slot's push is
 * past, which is what ((rip & 15) >= 11) << 3 says.
 */
static bool is_plt(const struct cfa_bytes *block)
{
	static const uint8_t plt[] = {
	    0x77, 8,	/* breg7 8 */
	    0x80, 0,	/* breg16 0 */
	    0x3f, 0x1a, /* lit15, and */
	    0x3b, 0x2a, /* lit11, ge */
	    0x33, 0x24, /* lit3, shl */
	    0x22,	/* plus */
	};

	return block->end - block->at == sizeof(plt) && !memcmp(block->at, plt, sizeof(plt));
}

void ehframe_rules_cfa_expression(struct ehframe_rules *rules, const struct cfa_bytes *block)
{
	struct cfa_bytes rest;
	int64_t offset;
	uint8_t reg;
	bool deref;

	if (is_plt(block)) {
		rules->cfa_how = EHFRAME_CFA_PLT;
	} else if (based(block, &reg, &offset, &deref)) {
		rules->cfa_how = deref ? EHFRAME_CFA_DEREF : EHFRAME_CFA_REGISTER;
		rules->cfa_reg = reg;
		rules->cfa_offset = offset;
	} else if (base(block, &reg, &offset, &rest) && is_deref_8(&rest)) {
		rules->cfa_how = EHFRAME_CFA_DEREF_8;
		rules->cfa_reg = reg;
		rules->cfa_offset = offset;
	} else {
		rules->cfa_how = EHFRAME_CFA_OTHER;
	}
}

void ehframe_column_expression(struct ehframe_column *column, const struct cfa_bytes *block)
{
	bool deref;

	if (based(block, &column->reg, &column->value, &deref) && !deref)
		column->how = EHFRAME_COLUMN_AT;
	else
		column->how = EHFRAME_COLUMN_OTHER;
}

/* Where a column is saved, from the CFA: also when an expression says so by the CFA's own register.
 */
static bool from_cfa(const struct ehframe_rules *r, enum ehframe_slot slot, int64_t *offset)
{
	const struct ehframe_column *c = &r->columns[slot];

	*offset = c->value;
	if (c->how == EHFRAME_COLUMN_CFA)
		return true;
	return c->how == EHFRAME_COLUMN_AT && r->cfa_how == EHFRAME_CFA_REGISTER &&
	       c->reg == r->cfa_reg && !__builtin_sub_overflow(c->value, r->cfa_offset, offset);
}

static bool saved_at_sp(const struct ehframe_column *c, int64_t offset)
{
	return c->how == EHFRAME_COLUMN_AT && c->reg == EHFRAME_RSP && c->value == offset;
}

/*
 * The C library's __restore_rt: everything, the CFA as well, lies in the ucontext that the kernel
 * put on the stack. Only one whose registers are all in their places is taken for it.
 */
static struct feed_row signal_row(const struct ehframe_rules *r)
{
	const int64_t gregs = offsetof(struct ucontext_t, uc_mcontext.gregs);
	const int64_t sp = gregs + REG_RSP * WORD, pc = gregs + REG_RIP * WORD;
	const int64_t fp = gregs + REG_RBP * WORD;
	int64_t at = r->cfa_offset;

	if (r->cfa_how != EHFRAME_CFA_DEREF || r->cfa_reg != EHFRAME_RSP || at < INT32_MIN / 2 ||
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
	if (r->cfa_reg != EHFRAME_RSP && r->cfa_reg != EHFRAME_RBP)
		return false;
	row->cfa = (r->cfa_reg == EHFRAME_RSP ? by_sp : by_fp)[r->cfa_how];
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
	if (from_cfa(r, EHFRAME_SLOT_FP, &at))
		row->fp = FEED_FP_SAVED;
	else if (c->how != EHFRAME_COLUMN_AT || c->reg != EHFRAME_RBP)
		return false;
	else if (is_stale(row))
		return true;
	else
		row->fp = FEED_FP_AT_FP;
	row->fp_offset = (int16_t)(at / WORD);
	return at % WORD == 0 && at / WORD == row->fp_offset;
}

struct feed_row ehframe_rules_row(const struct ehframe_rules *r, bool signal)
{
	struct feed_row row = {.fp = FEED_FP_SAME};
	int64_t pc_at;

	if (r->columns[EHFRAME_SLOT_PC].how == EHFRAME_COLUMN_UNDEFINED)
		return (struct feed_row){.cfa = FEED_CFA_ROOT};
	/* Above a signal's frame a pc is exact, which an ordinary row could not say. */
	if (signal)
		return signal_row(r);
	if (!from_cfa(r, EHFRAME_SLOT_PC, &pc_at) || pc_at != RETURN_AT ||
	    r->columns[EHFRAME_SLOT_SP].how != EHFRAME_COLUMN_SAME || !set_cfa(&row, r) ||
	    !set_fp(&row, r))
		return other;
	return row;
}
