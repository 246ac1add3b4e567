/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_handed.c - the rules for a thread that got its request from another one, which has created or
 * woken it. APP. Whether it was meant for that request, or is one of a pool that takes from its queue
 * whatever comes next, shows only later.
 */
#include "shim/attribute_doubt.h"
#include "shim/attribute_pool.h"
#include "shim/attribute_turn.h"
#include "shim/live.h"
#include "shim/thread.h"

#define HELPERS_PROOF 3

static const struct feed_context nobody;
static const struct attribute_owner nobodys;

_Atomic uint32_t attribute_helpers_unproven = HELPERS_PROOF;

/* No other request of the process was unfinished, since before it was handed over. */
static bool is_alone(const struct attribution *a)
{
	return a->alone && a->alone == live_newest();
}

/* Threads of this process take others' requests off a queue, and their answers need not be their own: one that was
 * created for more of that work may come to its end with neither an answer nor a wait. */
static bool is_pools(const struct thread *t)
{
	return carried_lately() || doubt_queue(t);
}

/*
 * With one request in the process there is nothing to mistake. Among several, a thread that was woken may
 * find another's item in the queue, and one that was created may be a new one of a pool, unless those
 * that this process creates have been seen to end without idling. Neither is believed before it says
 * itself, by an answer or its end, that it was for this request.
 */
bool attribute_handed_surely(const struct thread *t)
{
	const struct attribution *a = &t->attribution;

	return is_alone(a) ||
	       (a->created && !is_pools(t) &&
		!atomic_load_explicit(&attribute_helpers_unproven, memory_order_relaxed));
}

static void hand(struct thread *t, const struct feed_context *request, uint32_t alone)
{
	struct attribute_owner owner = attribute_inherited(t);

	attribute_turn(t, &owner, ATTRIBUTION_HANDED, request);
	t->attribution.alone = alone;
}

void attribute_handed(struct thread *t, const struct feed_context *request, uint32_t alone)
{
	if (t->attribution.mode == ATTRIBUTION_NONE || t->attribution.mode == ATTRIBUTION_HANDED)
		hand(t, request, alone);
}

void attribute_created(struct thread *t, const struct feed_context *request, uint32_t alone)
{
	t->attribution.created = true;
	hand(t, request, alone);
}

void attribute_passed_on(struct thread *t)
{
	struct attribution *a = &t->attribution;
	struct attribute_owner owner = is_alone(a) ? trial_owner(&a->request, 0) : nobodys;

	if (a->created)
		atomic_store_explicit(&attribute_helpers_unproven, HELPERS_PROOF, memory_order_relaxed);
	a->created = false;
	if (a->mode == ATTRIBUTION_HANDED)
		attribute_turn(t, &owner, ATTRIBUTION_NONE, &nobody);
}

/* What comes next may be another's, also when the answer to what came before goes out by another thread. */
void attribute_idle(struct thread *t)
{
	struct attribution *a = &t->attribution;
	struct attribute_owner owner = attribute_inherited(t);

	pool_idle(t);
	if (a->mode == ATTRIBUTION_HANDED || a->created)
		attribute_passed_on(t);
	/* A loop's thread has no queue that it waits at: a runtime's collector does, amid anybody's work. */
	else if (!a->foreign && attribute_may_have_turned(t, ATTRIBUTION_AFTER))
		attribute_turn(t, NULL, ATTRIBUTION_AFTER, &a->request);
	else if (!a->step && ((a->mode == ATTRIBUTION_NONE && attribute_waited_for(t)) ||
			      (a->mode == ATTRIBUTION_AFTER && !live_has(a->request.request))))
		attribute_turn(t, &owner, ATTRIBUTION_NONE, &nobody);
	attribute_afresh(a);
}

void attribute_returned(struct thread *t)
{
	struct attribute_owner owner = trial_owner(&t->attribution.request, 0);

	attribute_turn(t, &owner, ATTRIBUTION_HANDED, &t->attribution.request);
}

static void note_helper(void)
{
	uint32_t n = atomic_load_explicit(&attribute_helpers_unproven, memory_order_relaxed);

	/* One of two that meet here may count for both. */
	if (n)
		atomic_compare_exchange_strong_explicit(&attribute_helpers_unproven, &n, n - 1,
							memory_order_relaxed, memory_order_relaxed);
}

void attribute_end(struct thread *t)
{
	struct attribution *a = &t->attribution;
	struct attribute_owner owner = attribute_inherited(t);

	if (a->created && a->mode == ATTRIBUTION_HANDED)
		owner = is_pools(t) && !is_alone(a) ? nobodys : trial_owner(&a->request, 0);
	if (a->created)
		note_helper();
	a->created = false;
	if (a->mode != ATTRIBUTION_SAID)
		attribute_turn(t, &owner, ATTRIBUTION_LOST, &nobody);
}
