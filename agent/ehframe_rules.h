/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules in force at one address: how the frame address (CFA) and the three registers that a
 * walk needs are found.
 *
 * AGENT. Pure. ehframe_program.c sets the rules as the instructions say; ehframe_machine.h makes rows
 * of them.
 */
#ifndef SPANPROF_AGENT_EHFRAME_RULES_H
#define SPANPROF_AGENT_EHFRAME_RULES_H

#include "agent/cfa_program.h"

enum ehframe_slot { EHFRAME_SLOT_FP, EHFRAME_SLOT_SP, EHFRAME_SLOT_PC, EHFRAME_SLOTS };

enum ehframe_column_how {
	EHFRAME_COLUMN_SAME, /* no rule; of the stack pointer: the CFA */
	EHFRAME_COLUMN_UNDEFINED,
	EHFRAME_COLUMN_CFA, /* saved at CFA + value */
	EHFRAME_COLUMN_AT,  /* saved at register + value */
	EHFRAME_COLUMN_OTHER,
};

struct ehframe_column {
	int64_t value;
	uint8_t how, reg;
};

enum ehframe_cfa_how {
	EHFRAME_CFA_REGISTER, /* reg + offset */
	EHFRAME_CFA_DEREF,    /* *(reg + offset) */
	EHFRAME_CFA_DEREF_8,  /* *(reg + offset) + 8 */
	EHFRAME_CFA_PLT,
	EHFRAME_CFA_OTHER,
};

/* What an instruction for the CFA leaves alone stays: an offset survives a change of register. */
struct ehframe_rules {
	struct ehframe_column columns[EHFRAME_SLOTS];
	uint64_t cfa_reg;
	int64_t cfa_offset;
	uint8_t cfa_how;
};

/* Take the block of a DW_CFA_def_cfa_expression, and of a DW_CFA_expression. */
void ehframe_rules_cfa_expression(struct ehframe_rules *rules, const struct cfa_bytes *block);
void ehframe_column_expression(struct ehframe_column *column, const struct cfa_bytes *block);

/*
 * Where a column is saved, from the CFA: also when an expression says so by the CFA's own register.
 */
bool ehframe_rules_from_cfa(const struct ehframe_rules *rules, enum ehframe_slot slot,
			    int64_t *offset);

#endif
