/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter: one instruction, its operands, and what it changes.
 *
 * AGENT: called by ehframe.c. Instructions for registers that no walk needs are read and forgotten;
 * one that is unknown ends the program, since nobody can say where the next one begins.
 */
#include "agent/ehframe_program.h"

#include <errno.h>

enum {
	CFA_ADVANCE = 0x40, /* these three share their byte with an operand */
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,
	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE1 = 0x02,
	CFA_ADVANCE2 = 0x03,
	CFA_ADVANCE4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_AARCH64_NEGATE_RA_STATE_WITH_PC = 0x2c,
	CFA_AARCH64_NEGATE_RA_STATE = 0x2d,
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET = 0x2f,
};

#define OPERAND 0x3f

/* Hostile factors overflow; what comes of it is a wrong row, not undefined behaviour. */
static int64_t scale(uint64_t n, int64_t factor)
{
	return (int64_t)(n * (uint64_t)factor);
}

static int slot_of(const struct ehframe_program *p, uint64_t reg)
{
	if (reg == p->machine->fp)
		return EHFRAME_SLOT_FP;
	if (reg == p->machine->sp)
		return EHFRAME_SLOT_SP;
	return reg == p->cie->return_column ? EHFRAME_SLOT_PC : -1;
}

static bool set_column(struct ehframe_program *p, uint64_t reg, uint8_t how, int64_t value)
{
	int slot = slot_of(p, reg);

	if (slot >= 0)
		p->rules.columns[slot] = (struct ehframe_column){.how = how, .value = value};
	return true;
}

static bool restore_column(struct ehframe_program *p, uint64_t reg)
{
	int slot = slot_of(p, reg);

	if (slot >= 0)
		p->rules.columns[slot] =
		    p->initial ? p->initial->columns[slot] : (struct ehframe_column){0};
	return true;
}

static bool remember(struct ehframe_program *p)
{
	if (p->remembered == EHFRAME_REMEMBER_MAX)
		return false;
	p->stack[p->remembered++] = p->rules;
	return true;
}

static bool recall(struct ehframe_program *p)
{
	if (!p->remembered)
		return false;
	p->rules = p->stack[--p->remembered];
	return true;
}

static bool block(struct ehframe_program *p, struct cfa_bytes *out)
{
	uint64_t len;

	if (!cfa_uleb(&p->b, &len))
		return false;
	out->at = p->b.at;
	if (!cfa_skip(&p->b, len))
		return false;
	out->end = p->b.at;
	return true;
}

static bool def_cfa_register(struct ehframe_program *p, uint64_t reg)
{
	p->rules.cfa_how = EHFRAME_CFA_REGISTER;
	p->rules.cfa_reg = reg;
	return true;
}

static bool define_cfa(struct ehframe_program *p, uint8_t op)
{
	struct cfa_bytes expression;
	uint64_t reg = 0, offset;
	int64_t factored;

	switch (op) {
	case CFA_DEF_CFA_EXPRESSION:
		if (!block(p, &expression))
			return false;
		ehframe_rules_cfa_expression(&p->rules, &expression);
		return true;
	case CFA_DEF_CFA_REGISTER:
		return cfa_uleb(&p->b, &reg) && def_cfa_register(p, reg);
	case CFA_DEF_CFA:
		if (!cfa_uleb(&p->b, &reg) || !def_cfa_register(p, reg))
			return false;
		/* fall through */
	case CFA_DEF_CFA_OFFSET:
		if (!cfa_uleb(&p->b, &offset))
			return false;
		p->rules.cfa_offset = (int64_t)offset;
		return true;
	case CFA_DEF_CFA_SF:
		if (!cfa_uleb(&p->b, &reg) || !def_cfa_register(p, reg))
			return false;
		/* fall through */
	default:
		if (!cfa_sleb(&p->b, &factored))
			return false;
		p->rules.cfa_offset = scale((uint64_t)factored, p->cie->data_align);
		return true;
	}
}

static bool save_by_expression(struct ehframe_program *p, uint64_t reg)
{
	struct cfa_bytes expression;
	int slot = slot_of(p, reg);

	if (!block(p, &expression))
		return false;
	if (slot >= 0)
		ehframe_column_expression(&p->rules.columns[slot], &expression);
	return true;
}

/* Instructions whose first operand is a register with a rule of its own. */
static bool rule(struct ehframe_program *p, uint8_t op)
{
	struct cfa_bytes expression;
	uint64_t reg, n;
	int64_t factored;

	if (!cfa_uleb(&p->b, &reg))
		return false;
	switch (op) {
	case CFA_OFFSET_EXTENDED:
		return cfa_uleb(&p->b, &n) &&
		       set_column(p, reg, EHFRAME_COLUMN_CFA, scale(n, p->cie->data_align));
	case CFA_OFFSET_EXTENDED_SF:
		return cfa_sleb(&p->b, &factored) &&
		       set_column(p, reg, EHFRAME_COLUMN_CFA,
				  scale((uint64_t)factored, p->cie->data_align));
	case CFA_GNU_NEGATIVE_OFFSET:
		return cfa_uleb(&p->b, &n) &&
		       set_column(p, reg, EHFRAME_COLUMN_CFA, scale(-n, p->cie->data_align));
	case CFA_RESTORE_EXTENDED:
		return restore_column(p, reg);
	case CFA_UNDEFINED:
		return set_column(p, reg, EHFRAME_COLUMN_UNDEFINED, 0);
	case CFA_SAME_VALUE:
		return set_column(p, reg, EHFRAME_COLUMN_SAME, 0);
	case CFA_EXPRESSION:
		return save_by_expression(p, reg);
	case CFA_VAL_EXPRESSION:
		return block(p, &expression) && set_column(p, reg, EHFRAME_COLUMN_OTHER, 0);
	default: /* in another register, or a value: one number more, and no row can hold it */
		return cfa_uleb(&p->b, &n) && set_column(p, reg, EHFRAME_COLUMN_OTHER, 0);
	}
}

/* > 0: the location moves, 0: it does not, < 0: malformed. */
static int advance(struct ehframe_program *p, uint64_t delta)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(delta, p->cie->code_align, &bytes) ||
	    __builtin_add_overflow(p->from, bytes, &p->to))
		return -EBADMSG;
	return p->to > p->from;
}

static int advance_by(struct ehframe_program *p, size_t size)
{
	uint64_t delta;

	/* 2, 3 and 4 are unsigned numbers of 2, 4 and 8 bytes as pointers are encoded, too. */
	static const uint8_t encodings[] = {[2] = 0x02, [4] = 0x03};

	return ehframe_pointer(&p->b, encodings[size], 0, &delta) ? advance(p, delta) : -EBADMSG;
}

static int set_location(struct ehframe_program *p)
{
	uint64_t vaddr = p->vaddr_less_at + (uint64_t)(uintptr_t)p->b.at;

	if (!ehframe_pointer(&p->b, p->cie->fde_encoding, vaddr, &p->to) || p->to < p->from)
		return -EBADMSG;
	return p->to > p->from;
}

static int instruction(struct ehframe_program *p, uint8_t op)
{
	uint8_t byte;
	uint64_t n;
	bool good = true;

	switch (op) {
	case CFA_NOP:
		return 0;
	case CFA_SET_LOC:
		return set_location(p);
	case CFA_ADVANCE1:
		return cfa_u8(&p->b, &byte) ? advance(p, byte) : -EBADMSG;
	case CFA_ADVANCE2:
	case CFA_ADVANCE4:
		return advance_by(p, op == CFA_ADVANCE2 ? 2 : 4);
	case CFA_REMEMBER_STATE:
		good = remember(p);
		break;
	case CFA_RESTORE_STATE:
		good = recall(p);
		break;
	case CFA_DEF_CFA ... CFA_DEF_CFA_EXPRESSION:
	case CFA_DEF_CFA_SF:
	case CFA_DEF_CFA_OFFSET_SF:
		good = define_cfa(p, op);
		break;
	/* Whether the return address is signed from here on: a walk takes any signature off. */
	case CFA_AARCH64_NEGATE_RA_STATE_WITH_PC:
	case CFA_AARCH64_NEGATE_RA_STATE:
		good = p->machine->signs;
		break;
	case CFA_GNU_ARGS_SIZE:
		good = cfa_uleb(&p->b, &n);
		break;
	case CFA_OFFSET_EXTENDED ... CFA_REGISTER:
	case CFA_EXPRESSION ... CFA_OFFSET_EXTENDED_SF:
	case CFA_VAL_OFFSET ... CFA_VAL_EXPRESSION:
	case CFA_GNU_NEGATIVE_OFFSET:
		good = rule(p, op);
		break;
	default:
		good = false;
	}
	return good ? 0 : -EBADMSG;
}

int ehframe_program_next(struct ehframe_program *p)
{
	int moved = 0;
	uint64_t n;
	uint8_t op;

	p->from = p->to;
	while (!moved && cfa_u8(&p->b, &op)) {
		switch (op & ~OPERAND) {
		case CFA_ADVANCE:
			moved = advance(p, op & OPERAND);
			break;
		case CFA_OFFSET:
			if (!cfa_uleb(&p->b, &n))
				return -EBADMSG;
			set_column(p, op & OPERAND, EHFRAME_COLUMN_CFA,
				   scale(n, p->cie->data_align));
			break;
		case CFA_RESTORE:
			restore_column(p, op & OPERAND);
			break;
		default:
			moved = instruction(p, op);
		}
	}
	return moved;
}

bool ehframe_program_initial(const struct ehframe_machine *machine, const struct ehframe_cie *cie,
			     struct ehframe_rules *initial)
{
	struct ehframe_program p;

	p.rules = (struct ehframe_rules){.cfa_how = EHFRAME_CFA_OTHER};
	p.from = p.to = 0;
	p.b = cie->program;
	p.machine = machine;
	p.cie = cie;
	p.initial = NULL;
	p.vaddr_less_at = 0;
	p.remembered = 0;
	if (ehframe_program_next(&p))
		return false;
	*initial = p.rules;
	return true;
}

void ehframe_program_init(struct ehframe_program *p, const struct ehframe_machine *machine,
			  const struct ehframe_cie *cie, const struct ehframe_rules *initial,
			  const struct ehframe_fde *fde, const struct module_frames *frames)
{
	p->rules = *initial;
	p->to = fde->start;
	p->b = fde->program;
	p->machine = machine;
	p->cie = cie;
	p->initial = initial;
	p->vaddr_less_at = frames->vaddr - (uint64_t)(uintptr_t)frames->bytes;
	p->remembered = 0;
}
