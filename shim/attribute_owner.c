/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_owner.c - whose a stretch was that ends. APP.
 */
#include "shim/attribute_doubt.h"
#include "shim/attribute_pool.h"
#include "shim/attribute_turn.h"
#include "shim/live.h"
#include "shim/thread.h"

static const struct attribute_owner nobodys;

bool attribute_may_be_next(const struct thread *t)
{
	const struct attribution *a = &t->attribution;

	return a->mode == ATTRIBUTION_AFTER && a->foreign &&
	       (live_total() > (live_has(a->request.request) ? 1U : 0U) || pool_had_others(t));
}

bool attribute_may_have_turned(const struct thread *t, enum attribution_mode mode)
{
	const struct attribution *a = &t->attribution;

	return a->mode == mode && !a->step && live_others(t->tid, a->request.request);
}

bool attribute_has_another(const struct thread *t)
{
	return attribute_may_have_turned(t, ATTRIBUTION_AFTER) && !live_has(t->attribution.request.request);
}

/* What was known when it began. */
struct attribute_owner attribute_inherited(const struct thread *t)
{
	const struct attribution *a = &t->attribution;

	switch (a->mode) {
	case ATTRIBUTION_NONE:
	case ATTRIBUTION_LOST:
		return nobodys;
	case ATTRIBUTION_ACTIVE:
		return trial_owner(&a->request,
				   trial_both(trial_by_now(a->guess), doubt_active(t, &a->request)));
	case ATTRIBUTION_AFTER:
		if (attribute_may_be_next(t) || (a->several && attribute_has_another(t)))
			return nobodys;
		return trial_owner(&a->request, doubt_active(t, &a->request));
	case ATTRIBUTION_SOLE:
		return trial_owner(&a->request, doubt_reader(t, true));
	case ATTRIBUTION_HANDED:
		return attribute_handed_surely(t) ? trial_owner(&a->request, 0) : nobodys;
	default:
		return trial_owner(&a->request, 0);
	}
}

/* By what was known, or by the look-ahead. */
struct attribute_owner attribute_claimed(const struct thread *t, const struct feed_context *request,
					 uint64_t guess)
{
	const struct attribution *a = &t->attribution;

	switch (a->mode) {
	case ATTRIBUTION_NONE:
		guess = trial_both(trial_by_now(guess), doubt_batched(t, request));
		guess = trial_both(guess, doubt_reads(t, request));
		return trial_owner(request, pool_claim(t, request, doubt_claim(t, guess)));
	case ATTRIBUTION_AFTER:
		return trial_owner(request, pool_claim(t, request, doubt_claim(t, doubt_about(t, request))));
	case ATTRIBUTION_HANDED:
		if (guess)
			return attribute_inherited(t);
		if (!attribute_same(&a->request, request))
			return nobodys;
		return trial_owner(request, a->created ? 0 : pool_claim(t, request, 0));
	case ATTRIBUTION_SOLE:
		return attribute_same(&a->request, request) ? trial_owner(request, doubt_claim(t, 0)) : nobodys;
	case ATTRIBUTION_ACTIVE:
		if (!attribute_same(&a->request, request))
			return attribute_inherited(t);
		return trial_owner(request, trial_both(trial_by_now(a->guess),
						       doubt_claim(t, doubt_about(t, request))));
	case ATTRIBUTION_TASK:
		return trial_owner(request, 0);
	default:
		return nobodys;
	}
}

uint64_t attribute_hold(struct thread *t)
{
	struct attribution *a = &t->attribution;

	if (!a->held)
		a->held = ++a->last_ticket;
	return a->held;
}

void attribute_settle_held(struct thread *t, const struct attribute_owner *owner)
{
	struct attribution *a = &t->attribution;

	if (a->held)
		trial_tell(t, a->held, owner && attribute_same(&owner->request, &a->request) ? owner : &nobodys);
	a->held = 0;
}
