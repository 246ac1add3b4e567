/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the frame description (FDE) of an address in an object's .eh_frame and vets it.
 *
 * AGENT. The bytes are untrusted and libunwind 1.6 trusts them: a register number of
 * DW_CFA_register or a return column out of range reads beyond its arrays, INT64_MIN / -1 in an
 * expression is a SIGFPE, a backward DW_OP_skip never ends. So nothing is handed to it that was
 * not walked here first, with every operand checked.
 */
#ifndef SPANPROF_AGENT_FDE_H
#define SPANPROF_AGENT_FDE_H

#include "agent/module.h"

#define FDE_BYTES_MAX (64u << 10) /* of one CIE or FDE */
#define FDE_REMEMBER_MAX 16	  /* DW_CFA_remember_state nested */
/* Columns that libunwind keeps; aarch64's has those of the vector registers, too. */
#if defined(__aarch64__)
#define FDE_REGISTERS 96
#else
#define FDE_REGISTERS 17
#endif

struct fde {
	uint64_t vaddr;	     /* of the FDE itself */
	uint64_t start, end; /* code that it describes, link-time addresses */
};

/* 0, -ENOENT when nothing describes vaddr, -EBADMSG when what does is malformed or unsafe. */
int fde_find(const struct module_frames *frames, uint64_t vaddr, struct fde *fde);

#endif
