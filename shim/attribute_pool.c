/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_pool.c - whether a pool's threads answer what they have worked for. APP; relaxed counters of the process.
 *
 * A thread that answers, takes the next request off a queue, works and answers that makes no call in between, so
 * the second answer claims the work. If another thread sends some of the answers, work for those is claimed as well.
 * Four things show that:
 * - a thread has hardly ever worked before the answers that it sends, while others have;
 * - a thread idles, having worked and not answered;
 * - the thread that has read a request answers it in a later turn, without work, while a pool answers others;
 * - a thread has used much less CPU time between two of its answers than the pool's threads do: where answers are
 *   jobs of their own in the queue, a thread takes two of those one behind the other time and again. Where some
 *   requests cost that much less than others the same shows, and is taken for it.
 */
#include <stdatomic.h>
#include <time.h>

#include "shim/attribute_doubt.h"
#include "shim/attribute_pool.h"
#include "shim/attribute_turn.h"
#include "shim/clock.h"
#include "shim/live.h"

#define POOL_AGAIN 256 /* answers that must show the contrary */
/* A thread is judged by the answers before which it should have been sampled so often, and suspected before; so
 * much less is too little. */
#define SHARE_ENOUGH 20
#define SHARE_SUSPECT 6
#define SHARE_LITTLE 3
/* So much less than the mean is too little for a request's work, where the mean can be told from nothing. */
#define LIGHT 5
#define LIGHT_OF_NS 20000
#define MEAN_OF 64
/* One piece of evidence outweighs so many answers, or waits behind an answer; so many pieces are needed. */
#define STRAY_WEIGHT 32
#define STRAYS 3
/* Answers without threads that go from one request to the next until they are believed not to; again. */
#define ROW_PROOF 128
#define ROW_AGAIN 1024
#define COUNTS_MAX 1024 /* counts are halved there: programs change their ways */

/* Of answers by threads that had not read their requests; worked: sampled before. */
static struct {
	_Atomic uint32_t answers, worked;
	_Atomic uint32_t row;	      /* until so many more come, threads may work for two with no wait between */
	_Atomic uint32_t ever;	      /* some have */
	_Atomic uint32_t strays;      /* the weight of the evidence */
	_Atomic uint64_t mean_ns;     /* of CPU time between two answers of a thread, lately */
} pool = {.row = ROW_PROOF};

static void set(_Atomic uint32_t *count, uint32_t value)
{
	atomic_store_explicit(count, value, memory_order_relaxed);
}

/* A lost count does not matter. */
static uint32_t add(_Atomic uint32_t *count, uint32_t n)
{
	uint32_t sum = attribute_count(count) + n;

	set(count, sum);
	return sum;
}

bool pool_has(const struct thread *t, const struct feed_context *request)
{
	uint32_t turn;

	return !t->attribution.step && live_has(request->request) &&
	       !live_turn(t->tid, request->request, &turn);
}

void pool_begins(struct thread *t, const struct feed_context *answered)
{
	struct attribution_worker *w = &t->attribution.worker;
	uint32_t newest = live_newest(), others = live_total();

	if (answered && live_has(answered->request) && others)
		others--;
	w->alone = others <= 1;
	w->since = newest - others;
}

/* No other request has been unfinished since then. */
static bool is_alone(const struct thread *t)
{
	const struct attribution_worker *w = &t->attribution.worker;

	return w->alone && live_total() <= 1 && live_newest() - w->since <= 1;
}

/* Where each thread answers what it has worked for, it would have answered that by now. */
bool pool_had_others(const struct thread *t)
{
	const struct attribution_worker *w = &t->attribution.worker;

	return trial_left(TRIAL_POOL) && (!w->alone || w->since != live_newest());
}

static uint64_t doubt(const struct thread *t, const struct feed_context *request)
{
	if (!pool_has(t, request) || is_alone(t))
		return 0;
	if (!trial_again(TRIAL_POOL))
		return trial_left(TRIAL_POOL) ? trial_number(TRIAL_POOL) : 0;
	/* Where threads idle before each request, what they have worked since is for that. */
	return t->attribution.in_a_row || attribute_count(&pool.row) ? TRIAL_NEVER : 0;
}

uint64_t pool_claim(const struct thread *t, const struct feed_context *request, uint64_t other)
{
	return trial_both(doubt(t, request), other);
}

/* What is known by now is used up. Where threads idle before each request nothing is mistaken. */
static void fail(void)
{
	if (!attribute_count(&pool.ever))
		return;
	set(&pool.strays, 0);
	trial_fail(TRIAL_POOL, POOL_AGAIN);
}

static void ease(_Atomic uint32_t *count)
{
	uint32_t n = attribute_count(count);

	if (n)
		set(count, n - 1);
}

static void stray(void)
{
	if (attribute_count(&pool.strays) >= (STRAYS - 1) * STRAY_WEIGHT)
		fail();
	else
		add(&pool.strays, STRAY_WEIGHT);
}

/* Of the answers that this thread sends, too few are worked for. */
static bool is_carrier(struct attribution_worker *w)
{
	uint64_t expected = (uint64_t)w->answers * attribute_count(&pool.worked), all = attribute_count(&pool.answers);
	bool little = w->worked * all * SHARE_LITTLE < expected;

	if (little && expected >= SHARE_SUSPECT * all && !attribute_count(&pool.strays))
		set(&pool.strays, STRAY_WEIGHT);
	if (expected < SHARE_ENOUGH * all)
		return false;
	w->answers = w->worked = 0;
	return little;
}

/* Since this thread's last answer it has hardly used any CPU time, waits not counted. */
static bool is_light(struct attribution_worker *w)
{
	uint64_t now = clock_ns(CLOCK_THREAD_CPUTIME_ID), spent = now - w->answered_ns;
	uint64_t mean = atomic_load_explicit(&pool.mean_ns, memory_order_relaxed);
	bool is_first = !w->answered_ns;

	w->answered_ns = now;
	if (is_first)
		return false;
	atomic_store_explicit(&pool.mean_ns, mean ? mean - mean / MEAN_OF + spent / MEAN_OF : spent,
			      memory_order_relaxed);
	return mean >= LIGHT_OF_NS && spent * LIGHT < mean;
}

static void note_worked(bool worked)
{
	add(&pool.worked, worked);
	if (add(&pool.answers, 1) >= COUNTS_MAX) {
		set(&pool.answers, attribute_count(&pool.answers) / 2);
		set(&pool.worked, attribute_count(&pool.worked) / 2);
	}
	if (!worked)
		return;
	if (!attribute_count(&pool.strays) || !attribute_count(&pool.ever))
		trial_proof(TRIAL_POOL);
	ease(&pool.strays);
}

/* Its reader had turned to others, and has not been told by a read that this is next. */
static void note_reader(const struct thread *t, const struct feed_context *request)
{
	const struct attribution *a = &t->attribution;
	uint32_t turn;

	if (a->mode == ATTRIBUTION_NONE && attribute_count(&pool.answers) && !attribute_worked(t) &&
	    live_turn(t->tid, request->request, &turn) && turn != a->turn &&
	    !live_named(t->tid, request->request, a->turn))
		stray();
}

void pool_answer(struct thread *t, const struct feed_context *request)
{
	struct attribution_worker *w = &t->attribution.worker;
	bool worked = attribute_worked(t);

	if (t->attribution.step)
		return;
	if (!pool_has(t, request)) {
		note_reader(t, request);
		return;
	}
	if (worked && attribute_in_a_row(t, request)) {
		set(&pool.row, ROW_AGAIN);
		set(&pool.ever, 1);
	} else if (worked) {
		ease(&pool.row);
	}
	w->any = true;
	w->answers++;
	w->worked += worked;
	note_worked(worked);
	if (is_light(w))
		stray();
	if (is_carrier(w))
		fail();
}

void pool_idle(struct thread *t)
{
	const struct attribution *a = &t->attribution;

	if (a->step || !a->worker.any || (a->mode != ATTRIBUTION_NONE && a->mode != ATTRIBUTION_AFTER))
		return;
	if (attribute_worked(t))
		stray();
	else if (a->in_a_row)
		ease(&pool.strays);
}
