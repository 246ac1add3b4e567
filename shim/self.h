/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self.h - who this process is to the agent: one word of state and the claim it holds, in a private
 * page that the kernel empties in a forked child (MADV_WIPEONFORK). So a child knows itself by any
 * kind of fork, without a hook. Context: HANDLER and APP read it; BOOT makes it.
 */
#ifndef SPANPROF_SHIM_SELF_H
#define SPANPROF_SHIM_SELF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum self_state {
	SELF_FRESH,   /* a fork child that nobody has noticed yet (the page is empty) */
	SELF_IDLE,    /* known, not attached: the first tick attaches */
	SELF_CLAIMED, /* one thread is attaching */
	SELF_READY,   /* samples go to the region */
	SELF_FAILED,  /* inert for good: nothing is sampled, calls pass through */
};

struct self {
	/* IDLE -> CLAIMED by the thread that wins (cmpxchg, acquire), then READY, IDLE or FAILED by it
	 * (release: the fields below and the region are written). Readers load with acquire. */
	_Atomic uint32_t state;
	int32_t pid;
	uint32_t slot; /* index in the region's process table */
	/* Names the claim: which of this process's attaches, and the session in that region. A ring
	 * with another key is the parent's or a past region's. */
	uint64_t key;
	uint32_t tries;   /* failed attaches */
	/* Threads inside the handler or a push: an old region goes when nobody is (relaxed counts; the
	 * region switch before and the load of the region after an increment are seq_cst). */
	_Atomic uint32_t inside;
};

/* NULL until BOOT has made the page, and for ever in an inert process. */
extern struct self *self_page;

/*
 * Around every use of a region: an old one is unmapped only when nobody is inside. Enter first, then
 * load region_current. Nests.
 */
static inline void self_enter(void)
{
	if (self_page)
		atomic_fetch_add_explicit(&self_page->inside, 1, memory_order_seq_cst);
}

static inline void self_leave(void)
{
	if (self_page)
		atomic_fetch_sub_explicit(&self_page->inside, 1, memory_order_release);
}

static inline uint32_t self_session(void)
{
	return (uint32_t)self_page->key;
}

static inline uint32_t self_state(void)
{
	return self_page ? atomic_load_explicit(&self_page->state, memory_order_acquire) : SELF_FAILED;
}

/* BOOT. 0 or -errno. */
int self_init(void);

#endif
