/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_known.c - what a thread is known to work on, for others that take it over; and what the
 * program says itself. APP.
 */
#include "shim/attribute_doubt.h"
#include "shim/attribute_turn.h"
#include "shim/live.h"

/* What it hangs on that the thread works on what it is said to. */
static uint64_t doubt_of(const struct thread *t)
{
	const struct attribution *a = &t->attribution;

	return trial_both(trial_by_now(a->guess), doubt_handing(t, &a->request));
}

const struct feed_context *attribute_known(const struct thread *t)
{
	const struct attribution *a = &t->attribution;

	switch (a->mode) {
	case ATTRIBUTION_ACTIVE:
		return doubt_of(t) ? NULL : &a->request;
	case ATTRIBUTION_HANDED:
		return attribute_handed_surely(t) ? &a->request : NULL;
	case ATTRIBUTION_SOLE:
		return doubt_queue(t) ? NULL : &a->request;
	case ATTRIBUTION_SAID:
		return &a->request;
	default:
		return NULL;
	}
}

const struct feed_context *attribute_guess(const struct thread *t, uint64_t *guess)
{
	const struct attribution *a = &t->attribution;

	*guess = 0;
	if (a->mode == ATTRIBUTION_ACTIVE)
		*guess = doubt_of(t);
	else if (a->mode == ATTRIBUTION_HANDED && !attribute_handed_surely(t))
		*guess = TRIAL_NEVER;
	return *guess ? &a->request : attribute_known(t);
}

bool attribute_among_others(const struct thread *t)
{
	return attribute_may_have_turned(t, ATTRIBUTION_ACTIVE);
}

void attribute_forked(struct thread *t, int32_t before)
{
	const struct feed_context *known;
	struct attribute_owner owner;
	int32_t now = t->tid;
	uint32_t request;

	/* What is known of requests is the parent's still; another of its threads may be counted under
	 * the new number. */
	t->tid = before;
	known = attribute_known(t);
	owner = attribute_inherited(t);
	t->tid = now;
	request = known ? known->request : owner.trial ? 0 : owner.request.request;
	/* What is not sure yet will not be told here. */
	if (!request && t->attribution.request.request && t->attribution.mode != ATTRIBUTION_NONE)
		attribute_lost(t);
	live_forked(request, t->tid);
}

bool attribute_enter(struct thread *t, const struct feed_context *request)
{
	struct attribution *a = &t->attribution;
	struct attribute_owner owner = attribute_inherited(t);

	if (a->depth >= ATTRIBUTION_DEPTH)
		return false;
	a->outer[a->depth].mode = a->mode;
	a->outer[a->depth++].request = a->request;
	attribute_turn(t, a->mode == ATTRIBUTION_TASK ? NULL : &owner, ATTRIBUTION_SAID, request);
	return true;
}

void attribute_leave(struct thread *t)
{
	struct attribution *a = &t->attribution;
	struct attribute_owner owner = trial_owner(&a->request, 0);
	struct feed_context request;
	enum attribution_mode mode;

	if (!a->depth)
		return;
	request = a->outer[--a->depth].request;
	mode = a->outer[a->depth].mode;
	/* Entered in a step that is over. */
	if (mode == ATTRIBUTION_TASK && !a->step)
		mode = ATTRIBUTION_NONE;
	attribute_turn(t, &owner, mode, &request);
}
