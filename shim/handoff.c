/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handoff.c - objects that threads idle at, in a table by address that is entered by a short spin and
 * gives up, never waits. APP. Nothing is noted before the first request was seen.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "shim/attribute.h"
#include "shim/attribute_pool.h"
#include "shim/handoff.h"
#include "shim/live.h"
#include "shim/thread.h"

#define HANDOFF_OBJECTS 1024
#define HANDOFF_SPINS 200

/* Of one object; two whose addresses collide are not followed at the same time. */
static struct entry {
	_Atomic uint32_t busy;
	uint32_t outstanding; /* wakes that no waiter has come back from yet */
	_Atomic uint32_t waiting;
	bool known; /* the outstanding wake was for .request */
	uint32_t alone; /* then: what live_alone() said */
	uint32_t waits_for; /* the request of the only waiter; 0: unknown, or several wait */
	const void *_Atomic object;
	struct feed_context request;
} table[HANDOFF_OBJECTS];

/*
 * Threads that were woken for some request's work and have not idled since. A pool with more than one
 * busy thread takes items off its queue without a call, and a woken thread may find another's item: so
 * a wake is believed only when nobody else is at work.
 */
static _Atomic uint32_t at_work;

_Static_assert(HANDOFF_OBJECTS == 1 << 10, "the hash keeps 10 bits");

static struct entry *entry_of(const void *object)
{
	return &table[((uintptr_t)object * 0x9e3779b97f4a7c15ULL) >> 54];
}

static bool enter(struct entry *e)
{
	for (int i = 0; i < HANDOFF_SPINS; i++) {
		if (!atomic_exchange_explicit(&e->busy, 1, memory_order_acquire))
			return true;
	}
	return false;
}

static void leave(struct entry *e)
{
	atomic_store_explicit(&e->busy, 0, memory_order_release);
}

bool handoff_waits(struct thread *t, const void *object)
{
	struct entry *e = entry_of(object);
	const struct feed_context *request;
	bool noted = false;

	if (!live_any())
		return false;
	attribute_idle(t);
	request = attribute_known(t);
	if (t->woken) {
		t->woken = false;
		atomic_fetch_sub_explicit(&at_work, 1, memory_order_relaxed);
	}
	if (!enter(e))
		return false;
	if (!e->waiting) {
		e->object = object;
		e->outstanding = 0;
		e->known = false;
	}
	if (e->object == object) {
		e->waits_for = !e->waiting && request ? request->request : 0;
		e->waiting++;
		noted = true;
	}
	leave(e);
	return noted;
}

void handoff_woken(struct thread *t, const void *object, bool noted)
{
	struct entry *e = entry_of(object);
	struct feed_context request;
	uint32_t alone;
	bool take;

	/* It may have begun to wait before the first request came. */
	attribute_start(t);
	pool_begins(t, NULL);
	if (!noted)
		return;
	/* A waiter too many is left behind: then fewer wakes look directed, not more. */
	if (!enter(e))
		return;
	take = e->outstanding == 1 && e->known;
	if (take)
		request = e->request, alone = e->alone;
	if (e->outstanding && !--e->outstanding)
		e->known = false;
	if (e->waiting)
		e->waiting--;
	leave(e);
	if (!take || t->attribution.mode != ATTRIBUTION_NONE)
		return;
	t->woken = true;
	if (atomic_fetch_add_explicit(&at_work, 1, memory_order_relaxed) == 0)
		attribute_handed(t, &request, alone);
}

void handoff_wakes(struct thread *t, const void *object, bool all)
{
	struct entry *e = entry_of(object);
	bool handed = t->attribution.mode == ATTRIBUTION_HANDED, returned = false;
	/* In a chain of wakes (a pool that grows by its own threads) each is for another item. */
	const struct feed_context *request = handed ? NULL : attribute_known(t);

	/* With several, the queue may hold several, and who finds which no call tells. */
	uint32_t alone = live_alone();

	if (atomic_load_explicit(&e->object, memory_order_relaxed) != object ||
	    !atomic_load_explicit(&e->waiting, memory_order_relaxed) || !enter(e))
		return;
	if (e->object == object && e->waiting) {
		e->outstanding += all ? e->waiting : 1;
		e->known = e->outstanding == 1 && request && alone;
		if (e->known)
			e->request = *request, e->alone = alone;
		returned = handed && e->waits_for == t->attribution.request.request;
	}
	leave(e);
	/* Who was handed a request and wakes another has done its part: the next may be anything. */
	if (returned)
		attribute_returned(t);
	else
		attribute_passed_on(t);
}
