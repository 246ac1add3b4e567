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
#include "shim/clock.h"
#include "shim/foreign.h"
#include "shim/peek.h"
#include "shim/raw.h"
#include "shim/region.h"
#include "shim/regs.h"
#include "shim/sample.h"
#include "shim/self.h"
#include "shim/thread.h"
#include "shim/timer.h"
#include "shim/unwind_stack.h"
#include "shim/sigsafe.h"

/* How much of a stack whose bounds are unknown (swapped, alternate) is copied at most. */
#define SAMPLE_FOREIGN_STACK_MAX 8192U
/* Of any stack; all that a record may hold when every stack is verified. */
#define SAMPLE_STACK_MAX 32768U

/* memcpy may be a vector one that the compiler calls through an IFUNC; a loop of words is safe and,
 * for the kilobytes at hand, as fast as the signal's own frame. */
static void copy_words(uint64_t *to, const uint64_t *from, size_t words)
{
	for (size_t i = 0; i < words; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/* How much there was, or was room for. */
static size_t copy_slice(uint64_t *to, const struct thread *t, uintptr_t from, size_t max,
			 uint32_t *flags)
{
	size_t n = t->stack_high - from;

	if (from < t->stack_low || from >= t->stack_high) {
		*flags |= FEED_SAMPLE_TRUNCATED;
		return peek_copy(to, from,
				 max < SAMPLE_FOREIGN_STACK_MAX ? max : SAMPLE_FOREIGN_STACK_MAX);
	}
	if (n > max) {
		*flags |= FEED_SAMPLE_TRUNCATED;
		n = max;
	}
	n &= ~(size_t)7;
	copy_words(to, (const uint64_t *)from, n / 8);
	return n;
}

/* Frames by the published tables. 0: there are none, or the agent must walk this one. One more than is
 * wanted tells whether the last of those is the root. */
static uint32_t walk_frames(const struct thread *t, const ucontext_t *uc, struct region *r,
			    uint64_t *frames, uint32_t max, uint32_t *flags)
{
	struct feed_process *slot = &r->processes[self_page->slot];
	/* From the red zone on: in an epilogue, registers already popped are still described by their
	 * place below the stack pointer. */
	struct unwind_stack stack;
	/* The epoch before the snapshot: one that changes in between makes the snapshot's a past one. */
	struct unwind_tables tables = {
		.base = r->tables,
		.size = r->tables_size,
		.maps_epoch = atomic_load_explicit(&slot->maps_epoch, memory_order_acquire),
		.snapshot = atomic_load_explicit(&slot->snapshot, memory_order_acquire)};
	bool complete;
	size_t n;

	if (!tables.snapshot)
		return 0;
	unwind_stack_init(&stack, t->stack_low, t->stack_high, regs_sp(uc) - REGS_RED_ZONE);
	n = unwind_frames(regs_cursor(uc), &stack, &tables, frames, max + 1, &complete);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&slot->snapshot, memory_order_relaxed) != tables.snapshot)
		return 0;
	/* A walk that crossed to another stack saw more than a slice of the first one shows. */
	if (!complete && !stack.crossed)
		return 0;
	if (!complete || n > max)
		*flags |= FEED_SAMPLE_TRUNCATED;
	return n > max ? max : (uint32_t)n;
}

/* Registers and a slice of the stack, for the agent to walk. */
static void copy_stack(struct feed_sample *s, const struct thread *t, const ucontext_t *uc,
		       uint32_t room, uint32_t *flags)
{
	uintptr_t from = (regs_sp(uc) - REGS_RED_ZONE) & ~(uintptr_t)7;
	uint64_t *payload = s->frames + s->frame_count;

	*flags |= FEED_SAMPLE_STACK;
	s->stack_address = from;
	regs_copy(payload, uc);
	s->stack_length = (uint32_t)copy_slice(payload + FEED_REGS, t, from, room & ~7U, flags);
	if (*flags & FEED_SAMPLE_TRUNCATED)
		count(FEED_COUNTER_stack_truncated, 1);
}

static uint32_t frames_max(const struct region *r, uint32_t room)
{
	uint32_t max = r->header->config.frames_max, fit = room / 8 - 1;

	if (max < 1 || max > FEED_FRAMES_MAX)
		max = FEED_FRAMES_MAX;
	return max < fit ? max : fit;
}

static void fill(struct feed_sample *s, struct thread *t, const ucontext_t *uc, uint32_t weight,
		 uint32_t max, struct region *r)
{
	const struct span_copy *span = span_read(&t->span);
	uint32_t room = max - (uint32_t)sizeof(*s);
	/* The record's says what the frames lack, if there are any. */
	uint32_t flags = span->flags, slice_flags = 0, used;

	s->time_ns = clock_ns(CLOCK_MONOTONIC);
	s->stretch = span->stretch;
	s->weight = weight;
	s->context = span->context;
	s->stack_address = 0;
	s->stack_length = 0;
	s->maps_epoch = atomic_load_explicit(&r->processes[self_page->slot].maps_epoch,
					     memory_order_acquire);
	s->frame_count = walk_frames(t, uc, r, s->frames, frames_max(r, room), &flags);
	used = (s->frame_count + FEED_REGS) * 8;
	if ((!s->frame_count || r->verify_stacks) && used <= room)
		copy_stack(s, t, uc, room - used, s->frame_count ? &slice_flags : &flags);
	flags |= slice_flags & FEED_SAMPLE_STACK;
	s->record.kind = FEED_SAMPLE;
	s->record.flags = (uint16_t)flags;
	s->record.size = (uint32_t)sizeof(*s) + s->frame_count * 8 +
			 (flags & FEED_SAMPLE_STACK ? FEED_REGS * 8 + s->stack_length : 0);
	if (flags & FEED_SAMPLE_OPEN)
		atomic_store_explicit(&t->span.sampled, span->stretch, memory_order_relaxed);
}

static void take(struct thread *t, const ucontext_t *uc, uint32_t weight)
{
	struct region *r = region_get();
	/* A quarter of the ring at most, whatever the stack: four samples always fit between polls. */
	uint32_t most = r->verify_stacks ? FEED_STACK_MAX : SAMPLE_STACK_MAX;
	uint32_t max = r->ring_size / 4 < most ? r->ring_size / 4 : most;
	struct feed_sample *s;

	if (!region_own_ring(r, &t->ring, t->tid)) {
		count(FEED_COUNTER_ring_none, weight);
		return;
	}
	s = ring_reserve(&t->ring, max);
	if (!s) {
		count(FEED_COUNTER_ring_full, weight);
		return;
	}
	fill(s, t, uc, weight, max, r);
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
	uint32_t weight;

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
	weight = 1 + (info->si_overrun > 0 ? (uint32_t)info->si_overrun : 0);
	atomic_fetch_add_explicit(&t->credited, weight, memory_order_relaxed);
	self_enter();
	tick(t, ucontext, weight);
	self_leave();
}
