/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.c - the tick. Reads the thread's span, copies the interrupted registers and a bounded slice
 * of the stack, and pushes one record into the thread's ring; at the process's first tick it attaches.
 * HANDLER: allocates nothing, locks nothing, makes no libc call, keeps errno by never touching it, and
 * uses a few hundred bytes of the interrupted stack.
 */
#include <string.h>
#include <time.h>

#include "shim/attach.h"
#include "shim/foreign.h"
#include "shim/peek.h"
#include "shim/raw.h"
#include "shim/region.h"
#include "shim/regs.h"
#include "shim/sample.h"
#include "shim/self.h"
#include "shim/thread.h"
#include "shim/timer.h"
#include "shim/sigsafe.h"

/* How much of a stack whose bounds are unknown (swapped, alternate) is copied at most. */
#define SAMPLE_FOREIGN_STACK_MAX 8192U

static size_t slice_of(const struct thread *t, uintptr_t from, size_t max, uint32_t *flags)
{
	size_t n;

	if (from >= t->stack_low && from < t->stack_high) {
		n = t->stack_high - from;
		if (n <= max)
			return n;
		n = max;
	} else {
		n = peek_extent(from, max < SAMPLE_FOREIGN_STACK_MAX ? max : SAMPLE_FOREIGN_STACK_MAX);
	}
	*flags |= FEED_SAMPLE_TRUNCATED;
	return n;
}

/* memcpy may be a vector one that the compiler calls through an IFUNC; a loop of words is safe and,
 * for the kilobytes at hand, as fast as the signal's own frame. */
static void copy_words(uint64_t *to, const uint64_t *from, size_t words)
{
	for (size_t i = 0; i < words; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static void fill(struct feed_sample *s, struct thread *t, const ucontext_t *uc, uint32_t weight,
		 uint32_t max)
{
	const struct span_copy *span = span_read(&t->span);
	uintptr_t from = (regs_sp(uc) - REGS_RED_ZONE) & ~(uintptr_t)7;
	uint32_t room = max - (uint32_t)sizeof(*s) - FEED_REGS * 8;
	uint32_t flags = FEED_SAMPLE_STACK | span->flags;
	struct timespec now = {0};
	uint64_t *payload = s->frames;

	raw2(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	s->time_ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	s->stretch = span->stretch;
	s->weight = weight;
	s->frame_count = 0;
	s->context = span->context;
	s->stack_address = from;
	s->stack_length = (uint32_t)(slice_of(t, from, room, &flags) & ~(size_t)7);
	s->reserved = 0;
	regs_copy(payload, uc);
	copy_words(payload + FEED_REGS, (const uint64_t *)from, s->stack_length / 8);
	s->record.kind = FEED_SAMPLE;
	s->record.flags = (uint16_t)flags;
	s->record.size = (uint32_t)sizeof(*s) + FEED_REGS * 8 + s->stack_length;
	if (flags & FEED_SAMPLE_OPEN)
		atomic_store_explicit(&t->span.sampled, span->stretch, memory_order_relaxed);
	if (flags & FEED_SAMPLE_TRUNCATED)
		count(FEED_COUNTER_stack_truncated, 1);
}

static bool own_ring(struct thread *t, struct region *r)
{
	struct feed_ring *control;
	uint8_t *data;

	if (t->ring.control && t->ring.session == self_page->session)
		return true;
	control = region_claim_ring(r, self_page->slot, self_page->session, t->tid, &data);
	if (!control)
		return false;
	ring_init(&t->ring, control, data, r->ring_size, self_page->session);
	return true;
}

static void take(struct thread *t, const ucontext_t *uc, uint32_t weight)
{
	struct region *r = region_get();
	/* A quarter of the ring at most, whatever the stack: four samples always fit between polls. */
	uint32_t max = r->ring_size / 4 < FEED_STACK_MAX ? r->ring_size / 4 : FEED_STACK_MAX;
	struct feed_sample *s;

	if (!own_ring(t, r)) {
		count(FEED_COUNTER_ring_none, weight);
		return;
	}
	s = ring_reserve(&t->ring, max);
	if (!s) {
		count(FEED_COUNTER_ring_full, weight);
		return;
	}
	fill(s, t, uc, weight, max);
	ring_shrink(&t->ring, max, s->record.size);
	ring_commit(&t->ring);
	count(FEED_COUNTER_samples, weight);
}

static void tick(struct thread *t, const ucontext_t *uc, uint32_t weight)
{
	if (attach_check(t->ticks++) != SELF_READY) {
		count(FEED_COUNTER_attaching, weight);
		return;
	}
	take(t, uc, weight);
}

void sample_handler(int signo, siginfo_t *info, void *ucontext)
{
	struct thread *t = &thread_self;

	if (!timer_is_ours(info)) {
		count(FEED_COUNTER_foreign_signal, 1);
		foreign_signal(signo, info, ucontext);
		return;
	}
	if (!atomic_load_explicit(&t->registered, memory_order_relaxed) || !self_page)
		return;
	if (self_state() == SELF_FAILED) {
		timer_disarm(info->si_timerid);
		t->timer = THREAD_NO_TIMER;
		return;
	}
	atomic_fetch_add_explicit(&self_page->inside, 1, memory_order_seq_cst);
	tick(t, ucontext, 1 + (info->si_overrun > 0 ? (uint32_t)info->si_overrun : 0));
	atomic_fetch_sub_explicit(&self_page->inside, 1, memory_order_release);
}
