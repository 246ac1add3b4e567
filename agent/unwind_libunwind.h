/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finishes a stack walk over copied registers and a copied slice of stack.
 *
 * AGENT, never HANDLER: libunwind deadlocks and leaks descriptors in a signal handler. Nothing is
 * read from a live process; the walk sees the slice and the files behind the maps. One unwinder
 * serves all processes: it keeps no state about an address layout that could go stale.
 */
#ifndef SPANPROF_AGENT_UNWIND_LIBUNWIND_H
#define SPANPROF_AGENT_UNWIND_LIBUNWIND_H

#include "agent/maps.h"
#include "agent/module.h"
#include "shim/feed.h"

#include <sys/types.h>

#define UNWIND_REGISTERS FEED_REGS    /* in DWARF order */
#define UNWIND_FRAMES_MAX FEED_FRAMES_MAX /* of one walk */
#define UNWIND_READS_MAX (512u << 10) /* memory words of one walk: what hostile tables may cost */

struct unwind_regs {
	uint64_t pc, sp;
	uint64_t regs[UNWIND_REGISTERS]; /* pc and sp above count, not their places in here */
};

struct unwind_input {
	const struct unwind_regs *regs;
	const uint8_t *stack; /* copy of [stack_addr, stack_addr + stack_len) */
	uint64_t stack_addr;
	size_t stack_len;
	const struct maps *maps;
	pid_t pid;
	/*
	 * Of code without a description, at a return address: how many bytes it keeps on the stack
	 * below its own return address, all registers being its caller's; -1: not known. Or NULL.
	 */
	int (*kept)(void *arg, uint64_t pc);
	void *arg;
};

/* Where a walk ended; from UNWIND_END_LIMIT on, short of the root. */
enum unwind_end {
	UNWIND_END_ROOT,  /* a description leaves the return address undefined (_start, clone) */
	UNWIND_END_ENTRY, /* undescribed code of an object's, with a frame pointer of zero (_start) */
	UNWIND_END_ZERO,  /* a return address of zero: the caller knows whether that can be a root */
	UNWIND_END_LIMIT, /* as many frames as asked for */
	UNWIND_END_SLICE, /* what came next lies above the copied slice */
	UNWIND_END_NO_CODE, /* a return address that is in no code */
	UNWIND_END_LOST,    /* an address or its description is unusable */
	UNWIND_END_COUNT
};

struct unwind_result {
	bool truncated; /* the root was not reached */
	enum unwind_end end;
	unsigned int guessed; /* steps through undescribed code, by the frame pointer */
	/*
	 * Frames whose pc is where execution goes on (the sample itself, and what a signal
	 * interrupted). Every other pc is a return address: look up pc - 1.
	 */
	uint64_t exact[UNWIND_FRAMES_MAX / 64];
};

struct unwinder;

struct unwinder *unwinder_new(struct modules *modules);
void unwinder_free(struct unwinder *unwinder);

/* Up to max pcs, innermost first: pcs[0] is the sample's own. The number of frames, >= 1. */
size_t unwind_walk(struct unwinder *unwinder, const struct unwind_input *input, uint64_t *pcs,
		   size_t max, struct unwind_result *result);

static inline bool unwind_exact(const struct unwind_result *result, size_t frame)
{
	return result->exact[frame / 64] >> frame % 64 & 1;
}

#endif
