/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push.c - puts a wrapper's event into the thread's ring, beside the handler's samples. APP. Does
 * nothing when the thread has no ring of this process's: then no sample waits for the event either. A trial's verdict
 * concerns other threads' samples, whose rings are not ours to write: it goes into the process's slot.
 */
#include "shim/push.h"
#include "shim/region.h"
#include "shim/self.h"
#include "shim/thread.h"

static void push_into(struct ring *ring, const struct feed_stretch *end)
{
	struct feed_stretch *record;

	ring_enter(ring);
	record = ring_reserve(ring, sizeof(*record));
	if (record)
		*record = *end;
	ring_leave(ring);
	if (!record)
		count(FEED_COUNTER_event_lost, 1);
}

void push_ended(struct thread *t, uint32_t weight)
{
	struct feed_sample *record = NULL;

	if (self_state() != SELF_READY)
		return;
	self_enter();
	if (region_own_ring(region_get(), &t->ring, t->tid)) {
		ring_enter(&t->ring);
		record = ring_reserve(&t->ring, sizeof(*record));
		if (record)
			*record = (struct feed_sample){
				.record = {.size = sizeof(*record), .kind = FEED_SAMPLE},
				.weight = weight};
		ring_leave(&t->ring);
	}
	count(record ? FEED_COUNTER_samples : FEED_COUNTER_ring_full, weight);
	self_leave();
}

static void push(struct thread *t, const struct feed_stretch *end)
{
	if (self_state() != SELF_READY)
		return;
	self_enter();
	if (t->ring.control && t->ring.key == self_page->key)
		push_into(&t->ring, end);
	self_leave();
}

void push_stretch(struct thread *t, uint64_t stretch, const struct feed_context *owner)
{
	push(t, &(struct feed_stretch){.record = {sizeof(struct feed_stretch), FEED_STRETCH, 0},
				       .stretch = stretch,
				       .context = *owner});
}

void push_deferred(struct thread *t, uint64_t stretch, uint64_t ticket)
{
	push(t, &(struct feed_stretch){.record = {sizeof(struct feed_stretch), FEED_STRETCH, 0},
				       .stretch = stretch,
				       .ticket = ticket});
}

void push_ticket(struct thread *t, uint64_t ticket, const struct feed_context *owner, uint64_t trial)
{
	push(t, &(struct feed_stretch){.record = {sizeof(struct feed_stretch), FEED_TICKET, 0},
				       .ticket = ticket,
				       .context = *owner,
				       .trial = trial});
}

static void raise_to(_Atomic uint32_t *word, uint32_t count)
{
	uint32_t now = atomic_load_explicit(word, memory_order_relaxed);

	while (now < count && !atomic_compare_exchange_weak_explicit(word, &now, count, memory_order_release,
								     memory_order_relaxed))
		;
}

void push_verdict(uint64_t trial, bool passed)
{
	uint32_t count = (uint32_t)(trial >> FEED_TRIAL_KIND_BITS);
	struct feed_process *slot;
	struct region *r;

	if (self_state() != SELF_READY)
		return;
	self_enter();
	r = region_get();
	slot = r ? &r->processes[self_page->slot] : NULL;
	if (slot && slot->session == self_session()) {
		struct feed_verdict *v = &slot->verdicts[trial % FEED_TRIAL_KINDS];

		if (passed)
			raise_to(&v->passed, count);
		raise_to(&v->over, count);
	}
	self_leave();
}
