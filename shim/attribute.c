/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute.c - the rules. Every event ends the current stretch, says whose it was if samples of it
 * wait for that, and begins the next. Called by conn.c, handoff.c and the wait wrappers, APP context,
 * with the calling thread's own record; takes no lock and makes no call that can fail the host.
 */
#include <string.h>

#include "shim/attribute_doubt.h"
#include "shim/attribute_pool.h"
#include "shim/attribute_turn.h"
#include "shim/live.h"
#include "shim/push.h"
#include "shim/thread.h"

static const struct feed_context nobody;
static const struct attribute_owner nobodys;
/* Written once, before there are threads. */
static struct feed_context process_context;

/* Whose the work is that no request is known for. */
static const struct feed_context *unknown_owner(void)
{
	return live_any() ? &nobody : &process_context;
}

/* Whether samples of a stretch that begins in mode wait for its end. */
static bool is_open(const struct thread *t, enum attribution_mode mode,
		    const struct feed_context *request)
{
	switch (mode) {
	case ATTRIBUTION_AFTER:
	case ATTRIBUTION_SOLE:
	case ATTRIBUTION_HANDED:
		return true;
	case ATTRIBUTION_NONE:
	case ATTRIBUTION_TASK:
		return live_any();
	case ATTRIBUTION_ACTIVE:
		return live_others(t->tid, request->request) > 0 || doubt_active(t, request);
	default:
		return false;
	}
}

static void tell_end(struct thread *t, uint64_t ended, const struct attribute_owner *owner)
{
	if (owner && !owner->trial) {
		push_stretch(t, ended, &owner->request);
	} else if (owner) {
		push_deferred(t, ended, ++t->attribution.last_ticket);
		trial_tell(t, t->attribution.last_ticket, owner);
	} else {
		push_deferred(t, ended, t->attribution.step ? attribute_ticket(t) : attribute_hold(t));
	}
}

/* The new stretch is published first: from then on the handler samples into it, so that "sampled" of
 * the old one can no longer change. */
void attribute_turn(struct thread *t, const struct attribute_owner *owner, enum attribution_mode mode,
		    const struct feed_context *request)
{
	const struct span_copy *now = span_read(&t->span);
	uint64_t ended = now->stretch;
	bool was_open = now->flags & FEED_SAMPLE_OPEN;
	bool unknown = mode == ATTRIBUTION_NONE || mode == ATTRIBUTION_LOST;

	span_begin(&t->span, unknown ? unknown_owner() : request, is_open(t, mode, request));
	if (was_open && atomic_load_explicit(&t->span.sampled, memory_order_relaxed) == ended) {
		tell_end(t, ended, owner);
		t->attribution.worked = true;
	}
	if (request != &t->attribution.request)
		attribute_settle_held(t, owner);
	t->attribution.mode = mode;
	t->attribution.guess = 0;
	if (request != &t->attribution.request)
		t->attribution.request = unknown ? nobody : *request;
	trial_settle();
}

void attribute_default(const struct feed_context *context)
{
	process_context = *context;
}

void attribute_start(struct thread *t)
{
	bool is_open = span_read(&t->span)->flags & FEED_SAMPLE_OPEN;

	if (t->attribution.mode == ATTRIBUTION_NONE && !is_open && (process_context.flags || live_any()))
		attribute_turn(t, &nobodys, ATTRIBUTION_NONE, &nobody);
}

/* The thread turns to request; guess: as attribute_guess() said. */
static void take_up(struct thread *t, const struct feed_context *request, uint64_t guess)
{
	const struct attribution *a = &t->attribution;
	struct attribute_owner owner = attribute_inherited(t);
	uint32_t since;

	if (a->mode == ATTRIBUTION_SAID ||
	    (a->mode == ATTRIBUTION_ACTIVE && attribute_same(&a->request, request)))
		return;
	if (a->mode == ATTRIBUTION_SOLE && !attribute_same(&a->request, request))
		owner = nobodys;
	if (a->mode == ATTRIBUTION_HANDED && !guess && attribute_same(&a->request, request))
		owner = trial_owner(&a->request, 0);
	/* A request that begins only now cannot have taken a turn before. */
	if (a->mode == ATTRIBUTION_AFTER && !carried_lately() && live_count(t->tid) == 1 &&
	    live_turn(t->tid, request->request, &since) && since == a->turn)
		owner = trial_owner(&a->request, 0);
	live_name(request->request, a->turn);
	attribute_settle(t, &owner);
	attribute_turn(t, &owner, ATTRIBUTION_ACTIVE, request);
}

void attribute_read(struct thread *t, const struct feed_context *request)
{
	t->attribution.read |= !t->attribution.step;
	t->attribution.heard = t->attribution.step ? 0 : request->request;
	t->attribution.reader = true;
	doubt_read(t, request);
	if (attribute_same(&t->attribution.request, request))
		t->attribution.guess = 0;
	take_up(t, request, 0);
	attribute_afresh(&t->attribution);
}

/* From here on the stretch is request's, by a guess: its samples wait for an end under its trial. */
static void suspect(struct thread *t, uint64_t guess)
{
	struct attribution *a = &t->attribution;

	guess = trial_by_now(guess);
	if (!guess || a->mode != ATTRIBUTION_ACTIVE || a->guess)
		return;
	span_begin(&t->span, &a->request, true);
	a->guess = guess;
}

void attribute_answered(struct thread *t, const struct feed_context *request, uint64_t guess)
{
	t->attribution.heard = 0;
	take_up(t, request, guess);
	suspect(t, guess);
}

void attribute_read_unknown(struct thread *t)
{
	struct attribute_owner owner = attribute_inherited(t);

	t->attribution.read |= !t->attribution.step;
	t->attribution.heard = 0;
	if (t->attribution.mode == ATTRIBUTION_LOST || t->attribution.mode == ATTRIBUTION_SAID)
		return;
	if (t->attribution.mode == ATTRIBUTION_SOLE)
		owner = nobodys;
	attribute_turn(t, &owner, ATTRIBUTION_LOST, &nobody);
	attribute_afresh(&t->attribution);
}

static bool is_foreign(const struct thread *t, const struct feed_context *request)
{
	const struct attribution *a = &t->attribution;

	if (live_has(request->request))
		return pool_has(t, request);
	return !a->step && a->foreign && attribute_same(&a->request, request);
}

void attribute_write(struct thread *t, const struct feed_context *request, bool begins)
{
	struct attribution *a = &t->attribution;
	struct attribute_owner owner;

	if (a->mode == ATTRIBUTION_SAID)
		return;
	/* Later pieces of an answer prove nothing. */
	if (begins) {
		doubt_answer(t, request);
		doubt_order(t, request);
		carried_answer(t, request);
		pool_answer(t, request);
	}
	a->mixed |= a->step && (a->mode == ATTRIBUTION_ACTIVE || a->mode == ATTRIBUTION_AFTER) &&
		    !attribute_same(&a->request, request) && live_has(a->request.request);
	owner = attribute_claimed(t, request, 0);
	doubt_explained(t);
	a->foreign = is_foreign(t, request);
	attribute_settle(t, &owner);
	attribute_turn(t, &owner, ATTRIBUTION_AFTER, request);
	a->in_a_row = true;
	a->worked = false;
	pool_begins(t, request);
}

void attribute_write_unknown(struct thread *t)
{
	/* The time between two answers is the second's, or the tail of the first. */
	if (t->attribution.mode == ATTRIBUTION_AFTER && !t->attribution.step)
		attribute_turn(t, &nobodys, ATTRIBUTION_NONE, &nobody);
	attribute_other(t);
}

void attribute_write_mixed(struct thread *t)
{
	bool step = t->attribution.step;

	if (t->attribution.mode == ATTRIBUTION_SAID)
		return;
	t->attribution.mixed |= step;
	attribute_turn(t, &nobodys, step ? ATTRIBUTION_LOST : ATTRIBUTION_NONE, &nobody);
}

void attribute_upstream(struct thread *t, const struct feed_context *request, uint64_t guess)
{
	const struct attribution *a = &t->attribution;
	struct attribute_owner owner;

	if (a->mode == ATTRIBUTION_SAID ||
	    (a->mode == ATTRIBUTION_ACTIVE && attribute_same(&a->request, request)))
		return;
	/* What followed an answer was its own, up to here. */
	owner = a->mode == ATTRIBUTION_AFTER && !attribute_may_be_next(t) ? attribute_inherited(t)
								 : attribute_claimed(t, request, guess);
	doubt_explained(t);
	attribute_settle(t, &owner);
	attribute_turn(t, &owner, ATTRIBUTION_ACTIVE, request);
	suspect(t, guess);
}

/* What waited to be written says nothing of what comes next. */
void attribute_upstream_mixed(struct thread *t)
{
	if (t->attribution.mode == ATTRIBUTION_SAID || t->attribution.step)
		return;
	if (doubt_gathered(t))
		attribute_turn(t, &nobodys, ATTRIBUTION_NONE, &nobody);
	attribute_woken(t);
}

/* Past a call that is no request's. */
static void go_on(struct thread *t)
{
	struct attribution *a = &t->attribution;
	struct attribute_owner owner = attribute_inherited(t);

	if (a->mode == ATTRIBUTION_AFTER)
		attribute_turn(t, &owner, ATTRIBUTION_AFTER, &a->request);
	else if (a->mode == ATTRIBUTION_SOLE && !live_has(owner.request.request))
		attribute_turn(t, &owner, ATTRIBUTION_NONE, &nobody);
}

void attribute_accepted(struct thread *t)
{
	struct attribute_owner owner = attribute_inherited(t);

	t->attribution.unasked = true;
	go_on(t);
	attribute_settle_held(t, &owner);
}

void attribute_ended(struct thread *t)
{
	t->attribution.unasked = true;
}

void attribute_asks(struct thread *t, const struct feed_context *request)
{
	struct attribute_owner owner = attribute_claimed(t, request, 0);
	bool is_answered = attribute_may_have_turned(t, ATTRIBUTION_AFTER);

	if (attribute_same(&t->attribution.request, request) ||
	    (!is_answered && !attribute_may_have_turned(t, ATTRIBUTION_ACTIVE)))
		return;
	/* What it had asked for another was not the end of that. */
	if (!is_answered && attribute_waited_for(t))
		attribute_misled(t);
	attribute_turn(t, is_answered ? &owner : &nobodys, ATTRIBUTION_NONE, &nobody);
}

void attribute_asks_unknown(struct thread *t)
{
	bool among = attribute_may_have_turned(t, ATTRIBUTION_AFTER) ||
		     (attribute_may_have_turned(t, ATTRIBUTION_NONE) && live_count(t->tid) > 1);

	if (among && attribute_waited_for(t))
		attribute_turn(t, &nobodys, ATTRIBUTION_NONE, &nobody);
	attribute_other(t);
}

void attribute_other(struct thread *t)
{
	struct attribution *a = &t->attribution;

	a->called = true;
	/* A pool's thread that writes a log: whose line it was is not known. The next answer claims what follows. */
	if (attribute_may_be_next(t))
		attribute_turn(t, &nobodys, ATTRIBUTION_NONE, &nobody);
	else if (doubt_goes_on() && attribute_has_another(t))
		attribute_turn(t, &nobodys, ATTRIBUTION_AFTER, &a->request);
	else if (attribute_may_have_turned(t, ATTRIBUTION_AFTER))
		attribute_turn(t, NULL, ATTRIBUTION_AFTER, &a->request);
	else
		go_on(t);
}

void attribute_tail(struct thread *t, bool reads)
{
	struct attribute_owner owner = attribute_inherited(t);

	if (t->attribution.mode != ATTRIBUTION_AFTER)
		return;
	if (attribute_waited_for(t)) {
		if (reads)
			doubt_explained(t);
		attribute_turn(t, &owner, ATTRIBUTION_AFTER, &t->attribution.request);
	}
	attribute_settle_held(t, &owner);
}

void attribute_lost(struct thread *t)
{
	if (t->attribution.mode != ATTRIBUTION_SAID)
		attribute_turn(t, &nobodys, ATTRIBUTION_LOST, &nobody);
}

const struct feed_context *attribute_for_child(const struct thread *t)
{
	const struct feed_context *known = attribute_known(t);
	bool unknown = t->attribution.mode == ATTRIBUTION_NONE || t->attribution.mode == ATTRIBUTION_LOST;

	if (known)
		return known;
	return unknown ? unknown_owner() : &nobody;
}
