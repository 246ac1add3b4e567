/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regs.h - the interrupted registers, in DWARF's numbering, out of a signal's ucontext. Context:
 * HANDLER. The numbering follows the psABI of each architecture (x86-64: figure 3.36; aarch64: AADWARF64,
 * table 1).
 */
#ifndef SPANPROF_SHIM_REGS_H
#define SPANPROF_SHIM_REGS_H

#include <stdint.h>
#include <ucontext.h>

#include "shim/feed.h"
#include "shim/unwind.h"

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

/* Where to return to is on the stack. */
static inline uintptr_t regs_lr(const ucontext_t *uc)
{
	return 0;
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
/* Whether a call leaves the return address at the stack pointer. */
#define REGS_CALL_PUSHES true

#elif defined(__aarch64__)

static inline uintptr_t regs_sp(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.sp;
}

static inline uintptr_t regs_pc(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.pc;
}

static inline uintptr_t regs_fp(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.regs[FEED_REG_FP];
}

static inline uintptr_t regs_lr(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.regs[FEED_REG_FP + 1];
}

static inline void regs_copy(uint64_t out[FEED_REGS], const ucontext_t *uc)
{
	for (unsigned i = 0; i < FEED_REG_SP; i++)
		out[i] = (uint64_t)uc->uc_mcontext.regs[i];
	out[FEED_REG_SP] = (uint64_t)uc->uc_mcontext.sp;
	out[FEED_REG_PC] = (uint64_t)uc->uc_mcontext.pc;
}

/* AAPCS64 leaves nothing alone below the stack pointer. */
#define REGS_RED_ZONE 0U
#define REGS_CALL_PUSHES false

#else
#error "spanprof: no register layout for this architecture yet"
#endif

/* Where a walk begins. */
static inline struct unwind_cursor regs_cursor(const ucontext_t *uc)
{
	return (struct unwind_cursor){.pc = regs_pc(uc),
				      .sp = regs_sp(uc),
				      .fp = regs_fp(uc),
				      .exact = true,
				      .lr = regs_lr(uc)};
}

#endif
