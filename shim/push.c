/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push.c - puts a wrapper's event into the thread's ring, beside the handler's samples. APP. Does
 * nothing when the thread has no ring of this process's: then no sample waits for the event either.
 */
#include "shim/push.h"
#include "shim/region.h"
#include "shim/self.h"
#include "shim/thread.h"

static void push_into(struct ring *ring, uint64_t stretch, const struct feed_context *owner)
{
	struct feed_stretch *record;

	ring_enter(ring);
	record = ring_reserve(ring, sizeof(*record));
	if (record) {
		record->record = (struct feed_record){.size = sizeof(*record), .kind = FEED_STRETCH};
		record->stretch = stretch;
		record->context = *owner;
	}
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

void push_stretch(struct thread *t, uint64_t stretch, const struct feed_context *owner)
{
	if (self_state() != SELF_READY)
		return;
	self_enter();
	if (t->ring.control && t->ring.key == self_page->key)
		push_into(&t->ring, stretch, owner);
	self_leave();
}
