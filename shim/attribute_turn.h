/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_turn.h - what the files of attribute share: where one stretch ends and the next begins.
 * Context: APP, the thread itself.
 */
#ifndef SPANPROF_SHIM_ATTRIBUTE_TURN_H
#define SPANPROF_SHIM_ATTRIBUTE_TURN_H

#include "shim/attribute.h"
#include "shim/attribute_trial.h"
#include "shim/thread.h"

/*
 * End the current stretch in favour of owner and begin the next. owner NULL: that of a ticket, the task's or
 * what is held after an answer, which is told later.
 */
void attribute_turn(struct thread *thread, const struct attribute_owner *owner,
		    enum attribution_mode mode, const struct feed_context *request);
/* Whose the current stretch is when nothing claims it; when the thread answers request, or asks a server for
 * it by a guess of that number, which may be 0. */
struct attribute_owner attribute_inherited(const struct thread *thread);
struct attribute_owner attribute_claimed(const struct thread *thread, const struct feed_context *request,
					 uint64_t guess);
/* After an answer, where threads take requests over from others: the thread may have gone on to the next without
 * a call, if there is one. */
bool attribute_may_be_next(const struct thread *thread);
/* Likewise, to another that it has read itself, once it has answered in full. */
bool attribute_has_another(const struct thread *thread);
/* In that mode, among others of the thread's own. A loop that calls back what others have finished makes no call from
 * one request to the next: a line written after an answer is that one's log, or the next one's, which the next answer
 * will show. */
bool attribute_may_have_turned(const struct thread *thread, enum attribution_mode mode);
/* HANDED: what the thread does is for the request whatever call ends it. */
bool attribute_handed_surely(const struct thread *thread);
/* A number for samples of the task's step that end now. */
uint64_t attribute_ticket(struct thread *thread);
/* After an answer: a number for samples that end now; and owner's is what came last, so the rest is too if that is
 * the answered one, and nobody's if not. */
uint64_t attribute_hold(struct thread *thread);
void attribute_settle_held(struct thread *thread, const struct attribute_owner *owner);
/* What waits for the task's next answer, if the thread is in such a step, was owner's, who is nobody
 * afterwards if that is not sure. */
void attribute_settle(struct thread *thread, struct attribute_owner *owner);

/* The handler took a sample in the current stretch, and it waits for the stretch's end. */
static inline bool attribute_waited_for(const struct thread *t)
{
	const struct span_copy *now = span_read(&t->span);

	return now->flags & FEED_SAMPLE_OPEN &&
	       atomic_load_explicit(&t->span.sampled, memory_order_relaxed) == now->stretch;
}

/* .. or in one that ended since the thread's last answer, wait or read. */
static inline bool attribute_worked(const struct thread *t)
{
	return t->attribution.worked || attribute_waited_for(t);
}

/* Of a count of the process, which several threads keep. */
static inline uint32_t attribute_count(const _Atomic uint32_t *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

static inline bool attribute_same(const struct feed_context *a, const struct feed_context *b)
{
	return a->request == b->request && a->flags == b->flags;
}

/* What was noted of the time since the thread's last answer is over. */
static inline void attribute_afresh(struct attribution *a)
{
	a->in_a_row = a->worked = false;
}

/* The thread answers request after another, with neither a wait nor a read between. */
static inline bool attribute_in_a_row(const struct thread *t, const struct feed_context *request)
{
	const struct attribution *a = &t->attribution;

	return a->in_a_row && !a->step && !attribute_same(&a->request, request) &&
	       (a->mode == ATTRIBUTION_AFTER || a->mode == ATTRIBUTION_NONE);
}

#endif
