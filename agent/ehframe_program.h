/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs call-frame instructions (DWARF 5, 6.4.2), stretch of code by stretch of code.
 *
 * AGENT. Pure, and made for bytes that nobody has checked: every operand is bounded here, unlike in
 * cfa_program.c, which decides what another interpreter may run.
 */
#ifndef SPANPROF_AGENT_EHFRAME_PROGRAM_H
#define SPANPROF_AGENT_EHFRAME_PROGRAM_H

#include "agent/ehframe_machine.h"
#include "agent/ehframe_record.h"

#define EHFRAME_REMEMBER_MAX 16 /* states remembered, nested */

struct ehframe_program {
	struct ehframe_rules rules;
	uint64_t from, to; /* code that the rules hold for */

	/* Private */
	struct cfa_bytes b;
	const struct ehframe_machine *machine;
	const struct ehframe_cie *cie;
	const struct ehframe_rules *initial; /* NULL while the CIE's own run */
	uint64_t vaddr_less_at; /* link-time address of a byte of b, less its pointer */
	unsigned int remembered;
	struct ehframe_rules stack[EHFRAME_REMEMBER_MAX];
};

/* The rules that all FDEs of a CIE begin with. false: its instructions make no sense. */
bool ehframe_program_initial(const struct ehframe_machine *machine, const struct ehframe_cie *cie,
			     struct ehframe_rules *initial);

void ehframe_program_init(struct ehframe_program *p, const struct ehframe_machine *machine,
			  const struct ehframe_cie *cie, const struct ehframe_rules *initial,
			  const struct ehframe_fde *fde, const struct module_frames *frames);

/*
 * Runs up to the next advance of the location: > 0, and the rules are those of [from, to). 0: at
 * the end of the instructions, and they hold from there to the end of the function. -EBADMSG:
 * malformed.
 */
int ehframe_program_next(struct ehframe_program *p);

#endif
