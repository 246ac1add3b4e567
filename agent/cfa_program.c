/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks call-frame instructions and location expressions without evaluating them.
 *
 * AGENT: called by fde.c, and the readers of numbers by all that reads such bytes. Each opcode has
 * a string of operand letters, so that the two tables below are the whole of what is accepted.
 */
#include "agent/cfa_program.h"

/*
 * Operands: '1' '2' '4' '8' so many bytes, 'r' a register as ULEB128, 'n' a LEB128 number, 'e' a
 * block that is an expression, '<' and '>' remember and restore the state. NULL: not accepted.
 */
static const char *const cfa_operands[0x40] = {
    [0x00] = "",   /* nop */
    [0x02] = "1",  /* advance_loc1 */
    [0x03] = "2",  /* advance_loc2 */
    [0x04] = "4",  /* advance_loc4 */
    [0x05] = "rn", /* offset_extended */
    [0x06] = "r",  /* restore_extended */
    [0x07] = "r",  /* undefined */
    [0x08] = "r",  /* same_value */
    [0x09] = "rr", /* register */
    [0x0a] = "<",  /* remember_state */
    [0x0b] = ">",  /* restore_state */
    [0x0c] = "rn", /* def_cfa */
    [0x0d] = "r",  /* def_cfa_register */
    [0x0e] = "n",  /* def_cfa_offset */
    [0x0f] = "e",  /* def_cfa_expression */
    [0x10] = "re", /* expression */
    [0x11] = "rn", /* offset_extended_sf */
    [0x12] = "rn", /* def_cfa_sf */
    [0x13] = "n",  /* def_cfa_offset_sf */
    [0x16] = "re", /* val_expression */
    [0x2e] = "n",  /* GNU_args_size */
    [0x2f] = "rn", /* GNU_negative_offset_extended */
};

/* Expressions: as above. No div (0x1b) or mod (0x1d), which can trap; no skip or bra. */
static const char *const op_operands[0x100] = {
    [0x03] = "8",	   [0x06] = "",	 [0x08] = "1", [0x09] = "1", [0x0a] = "2", [0x0b] = "2",
    [0x0c] = "4",	   [0x0d] = "4", [0x0e] = "8", [0x0f] = "8", [0x10] = "n", [0x11] = "n",
    [0x12] = "",	   [0x13] = "",	 [0x14] = "",  [0x16] = "",  [0x17] = "",  [0x19] = "",
    [0x1a] = "",	   [0x1c] = "",	 [0x1e] = "",  [0x1f] = "",  [0x20] = "",  [0x21] = "",
    [0x22] = "",	   [0x23] = "n", [0x24] = "",  [0x25] = "",  [0x26] = "",  [0x27] = "",
    [0x29] = "",	   [0x2a] = "",	 [0x2b] = "",  [0x2c] = "",  [0x2d] = "",  [0x2e] = "",
    [0x30 ... 0x4f] = "",  /* lit0 to lit31 */
    [0x70 ... 0x8f] = "n", /* breg0 to breg31 */
    [0x96] = "",	   /* nop */
};

#define OP_BREG0 0x70
#define OP_BREG31 0x8f

struct walk {
	struct cfa_bytes b;
	unsigned int registers, remembered, remembered_max;
};

bool cfa_skip(struct cfa_bytes *b, uint64_t n)
{
	if (n > (uint64_t)(b->end - b->at))
		return false;
	b->at += n;
	return true;
}

bool cfa_u8(struct cfa_bytes *b, uint8_t *out)
{
	if (b->at >= b->end)
		return false;
	*out = *b->at++;
	return true;
}

/* libunwind shifts without a bound: ten bytes are all that 64 bits can need. */
static bool leb(struct cfa_bytes *b, uint64_t *out, unsigned int *shift, uint8_t *last)
{
	*out = 0;
	*shift = 0;
	do {
		if (*shift > 63 || !cfa_u8(b, last))
			return false;
		*out |= (uint64_t)(*last & 0x7f) << *shift;
		*shift += 7;
	} while (*last & 0x80);
	return true;
}

bool cfa_uleb(struct cfa_bytes *b, uint64_t *out)
{
	unsigned int shift;
	uint8_t last;

	return leb(b, out, &shift, &last);
}

bool cfa_sleb(struct cfa_bytes *b, int64_t *out)
{
	unsigned int shift;
	uint64_t bits;
	uint8_t last;

	if (!leb(b, &bits, &shift, &last))
		return false;
	if ((last & 0x40) && shift < 64)
		bits |= UINT64_MAX << shift;
	*out = (int64_t)bits;
	return true;
}

static bool operands_safe(struct walk *w, const char *letters);

static bool expression_safe(struct walk *w)
{
	struct cfa_bytes rest;
	uint64_t len;
	uint8_t op;
	bool safe = true;

	if (!cfa_uleb(&w->b, &len) || len > (uint64_t)(w->b.end - w->b.at))
		return false;
	rest = (struct cfa_bytes){w->b.at + len, w->b.end};
	w->b.end = rest.at;
	while (safe && cfa_u8(&w->b, &op)) {
		safe = op_operands[op] && operands_safe(w, op_operands[op]);
		if (op >= OP_BREG0 && op <= OP_BREG31 && op - OP_BREG0 >= (int)w->registers)
			safe = false;
	}
	w->b = rest;
	return safe;
}

static bool operand_safe(struct walk *w, char letter)
{
	uint64_t v;

	switch (letter) {
	case 'n':
		return cfa_uleb(&w->b, &v);
	case 'r':
		return cfa_uleb(&w->b, &v) && v < w->registers;
	case 'e':
		return expression_safe(w);
	case '<':
		return w->remembered++ < w->remembered_max;
	case '>':
		return w->remembered-- > 0;
	default:
		return cfa_skip(&w->b, (uint64_t)(letter - '0'));
	}
}

/* Expressions contain no blocks, so this recurses once at most. */
static bool operands_safe(struct walk *w, const char *letters)
{
	for (; *letters; letters++)
		if (!operand_safe(w, *letters))
			return false;
	return true;
}

size_t cfa_pointer_size(uint8_t encoding)
{
	static const uint8_t sizes[16] = {
	    [0x0] = 8, [0x2] = 2, [0x3] = 4, [0x4] = 8, [0xa] = 2, [0xb] = 4, [0xc] = 8,
	};

	return sizes[encoding & 0x0f];
}

static bool instruction_safe(struct walk *w, uint8_t op, uint8_t pointer_encoding)
{
	switch (op & 0xc0) {
	case 0x40: /* advance_loc */
		return true;
	case 0x80: /* offset */
		return (op & 0x3f) < (int)w->registers && operands_safe(w, "n");
	case 0xc0: /* restore */
		return (op & 0x3f) < (int)w->registers;
	}
	if (op == 0x01) /* set_loc */
		return cfa_pointer_size(pointer_encoding) &&
		       cfa_skip(&w->b, cfa_pointer_size(pointer_encoding));
	return cfa_operands[op] && operands_safe(w, cfa_operands[op]);
}

bool cfa_program_safe(const uint8_t *at, const uint8_t *end, uint8_t pointer_encoding,
		      unsigned int registers, unsigned int remembered_max)
{
	struct walk w = {
	    .b = {at, end},
	    .registers = registers,
	    .remembered_max = remembered_max,
	};
	uint8_t op;

	while (cfa_u8(&w.b, &op))
		if (!instruction_safe(&w, op, pointer_encoding))
			return false;
	return true;
}
