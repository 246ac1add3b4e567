/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between machines in the meaning of call-frame instructions: the numbers of registers,
 * and the row that says the same as the rules.
 *
 * AGENT. Pure: an object's machine, not the agent's own, decides.
 */
#ifndef SPANPROF_AGENT_EHFRAME_MACHINE_H
#define SPANPROF_AGENT_EHFRAME_MACHINE_H

#include "agent/ehframe_rules.h"
#include "shim/feed.h"

enum { EHFRAME_X86_64_RBP = 6, EHFRAME_X86_64_RSP = 7 };
enum { EHFRAME_AARCH64_X29 = 29, EHFRAME_AARCH64_SP = 31 };

struct ehframe_machine {
	uint64_t fp, sp; /* DWARF numbers */
	bool signs;	 /* return addresses, and has instructions that say so */
	/* The row without its start. signal: of a CIE that says so. */
	struct feed_row (*row)(const struct ehframe_rules *rules, bool signal);
};

/* Of an ELF header's e_machine; NULL: there are no rows for it. */
const struct ehframe_machine *ehframe_machine(uint16_t e_machine);

struct feed_row ehframe_x86_64_row(const struct ehframe_rules *rules, bool signal);
struct feed_row ehframe_aarch64_row(const struct ehframe_rules *rules, bool signal);

/* The frame that aarch64's kernel leaves to its sigreturn: a siginfo, then the ucontext. */
extern const struct feed_row ehframe_aarch64_signal;

#endif
