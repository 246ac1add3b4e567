/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few location expressions that toolchains emit.
 *
 * AGENT: called by ehframe_program.c. An expression is never evaluated: it is one of
 * the known ones, byte for byte, or the row sends the walk to the agent.
 */
#include "agent/ehframe_rules.h"

#include <string.h>

#define WORD 8
#define OP_DEREF 0x06
#define OP_PLUS_UCONST 0x23
#define OP_BREG0 0x70
#define OP_BREG31 0x8f

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

bool ehframe_rules_from_cfa(const struct ehframe_rules *r, enum ehframe_slot slot, int64_t *offset)
{
	const struct ehframe_column *c = &r->columns[slot];

	*offset = c->value;
	if (c->how == EHFRAME_COLUMN_CFA)
		return true;
	return c->how == EHFRAME_COLUMN_AT && r->cfa_how == EHFRAME_CFA_REGISTER &&
	       c->reg == r->cfa_reg && !__builtin_sub_overflow(c->value, r->cfa_offset, offset);
}
