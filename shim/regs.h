/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regs.h - the interrupted registers, in DWARF's numbering, out of a signal's ucontext. Context:
 * HANDLER. The numbering follows the psABI of each architecture (x86-64: figure 3.36).
 */
#ifndef SPANPROF_SHIM_REGS_H
#define SPANPROF_SHIM_REGS_H

#include <stdint.h>
#include <ucontext.h>

#include "shim/feed.h"

#if defined(__x86_64__)

static inline uintptr_t regs_sp(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
}

static inline uintptr_t regs_pc(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
}

static inline uintptr_t regs_fp(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RBP];
}

static inline void regs_copy(uint64_t out[FEED_REGS], const ucontext_t *uc)
{
	static const uint8_t order[FEED_REGS] = {
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
		REG_R9,	 REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

	for (unsigned i = 0; i < FEED_REGS; i++)
		out[i] = (uint64_t)uc->uc_mcontext.gregs[order[i]];
}

/* What the calling convention leaves alone below the stack pointer. */
#define REGS_RED_ZONE 128U

#else
#error "spanprof: no register layout for this architecture yet"
#endif

#endif
