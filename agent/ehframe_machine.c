/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machines that rows are compiled for.
 *
 * AGENT: called by ehframe.c.
 */
#include "agent/ehframe_machine.h"

#include <elf.h>

const struct ehframe_machine *ehframe_machine(uint16_t e_machine)
{
	static const struct ehframe_machine x86_64 = {
	    .fp = EHFRAME_X86_64_RBP, .sp = EHFRAME_X86_64_RSP, .row = ehframe_x86_64_row};
	static const struct ehframe_machine aarch64 = {.fp = EHFRAME_AARCH64_X29,
						       .sp = EHFRAME_AARCH64_SP,
						       .signs = true,
						       .row = ehframe_aarch64_row};

	if (e_machine == EM_X86_64)
		return &x86_64;
	return e_machine == EM_AARCH64 ? &aarch64 : NULL;
}
