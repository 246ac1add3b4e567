/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_doubt.c - when the calls of a thread do not tell whose its work is. APP. What is noted is the
 * thread's own, or the process's in relaxed counters that no decision of a moment hangs on.
 */
#include "shim/attribute_doubt.h"
#include "shim/attribute_turn.h"
#include "shim/live.h"
#include "shim/thread.h"

#define DOUBT_MORE 4 /* one stretch that no call explains outweighs so many that one does */
#define DOUBT_MAX 32
#define PROOF 3
#define BATCHES_MIN 16	 /* the first answers tell nothing of a program's ways */
#define READS_PROOF 16
#define UNNAMED_LATELY 1024 /* answers of the process */
#define READER_DOUBT 16
#define BATCHES_MAX 1024 /* counts are halved there: programs change their ways */

struct attribution_batches attribution_batches;

/*
 * Requests that take turns on one thread between its calls (coroutines, timers) cannot be told apart.
 * Four things show them: a stretch with samples, after a wait and before the next, in which no call
 * names anybody while several requests are unfinished; an answer out of such a stretch that comes more
 * than a turn after its request's head, where nothing in this turn has named or woken it; an answer to
 * another request than the one that was read last; and trace context on its way to a server that is
 * another's than the connection was lent to. As long as such stretches are more than a few,
 * and after each such answer until PROOF others have come as expected, no guess is made among several
 * requests.
 */
uint64_t doubt_about(const struct thread *t, const struct feed_context *request)
{
	if (t->attribution.step || !live_others(t->tid, request->request))
		return 0;
	return t->attribution.doubt ? TRIAL_NEVER : trial_number(TRIAL_ORDER);
}

/*
 * Answers to several requests behind one another, with work between them, and reads for all of them
 * before, in the same turn: then what was read last says little of what is worked on, until enough
 * answers have come to who was read last.
 */
uint64_t doubt_reads(const struct thread *t, const struct feed_context *request)
{
	if (!t->attribution.step && trial_left(TRIAL_READS) && live_others(t->tid, request->request))
		return TRIAL_NEVER;
	return doubt_about(t, request);
}

/*
 * A thread that reads requests, and answers one that a thread beside it has read, took that off a queue that
 * all of them put requests into: what it has read last says nothing. Where such threads go from one request to
 * the next without a wait, an answer says no more.
 */
uint64_t doubt_reader(const struct thread *t, bool is_active)
{
	if (t->attribution.step)
		return 0;
	if (carried_lately())
		return TRIAL_NEVER;
	if (!live_elsewhere(t->tid))
		return 0;
	/* Who has not read anything yet is taken for a pool's. */
	if (!trial_again(TRIAL_READER))
		return t->attribution.reader ? trial_number(TRIAL_READER) : 0;
	return is_active || carried_in_a_row() ? TRIAL_NEVER : 0;
}

uint64_t doubt_active(const struct thread *t, const struct feed_context *request)
{
	return trial_both(doubt_reader(t, true), doubt_reads(t, request));
}

uint64_t doubt_claim(const struct thread *t, uint64_t order)
{
	return trial_both(doubt_reader(t, false), order);
}

bool doubt_queue(const struct thread *t)
{
	return trial_again(TRIAL_READER) && doubt_reader(t, true);
}

uint64_t doubt_handing(const struct thread *t, const struct feed_context *request)
{
	return doubt_queue(t) ? TRIAL_NEVER : doubt_reads(t, request);
}

static void note_reader(const struct thread *t, const struct feed_context *request)
{
	const struct attribution *a = &t->attribution;
	uint32_t turn;

	if (a->step || !live_elsewhere(t->tid))
		return;
	if (live_turn(t->tid, request->request, &turn)) {
		trial_proof(TRIAL_READER);
	} else if (!a->reader) {
		/* Where readers take from the queue, one may just not have read yet. */
		if (!trial_again(TRIAL_READER))
			trial_proof(TRIAL_READER);
	} else {
		trial_fail(TRIAL_READER, READER_DOUBT);
		trial_fail(TRIAL_ORDER, 0);
	}
}

bool doubt_goes_on(void)
{
	return attribute_count(&attribution_batches.unnamed);
}

/* No read but that of its head has told the thread of request, if that one did; is_read: in this turn. */
static bool is_unnamed(const struct thread *t, const struct feed_context *request, bool *is_read)
{
	uint32_t turn;

	*is_read = live_named(t->tid, request->request, t->attribution.turn);
	return *is_read || (live_turn(t->tid, request->request, &turn) &&
			    live_named(t->tid, request->request, turn - 1));
}

/* The thread answers request behind another, and has worked for it with nothing between that named it. Lines to a
 * log may have cut the work. */
static void note_row(const struct thread *t, const struct feed_context *request)
{
	_Atomic uint32_t *unnamed = &attribution_batches.unnamed;
	uint32_t left = attribute_count(unnamed);
	bool is_read;

	if (attribute_worked(t) && is_unnamed(t, request, &is_read)) {
		atomic_store_explicit(unnamed, UNNAMED_LATELY, memory_order_relaxed);
		if (is_read)
			trial_fail(TRIAL_READS, READS_PROOF);
	} else if (left) {
		atomic_store_explicit(unnamed, left - 1, memory_order_relaxed);
	}
}

static void note_reads(const struct thread *t, const struct feed_context *request)
{
	const struct attribution *a = &t->attribution;
	bool same = attribute_same(&a->request, request);

	if (a->mode == ATTRIBUTION_AFTER && !same)
		note_row(t, request);
	else if (a->mode == ATTRIBUTION_ACTIVE && same && attribute_waited_for(t))
		trial_proof(TRIAL_READS);
}

static void doubt_more(struct attribution *a)
{
	trial_fail(TRIAL_ORDER, 0);
	a->doubt = a->doubt > DOUBT_MAX - DOUBT_MORE ? DOUBT_MAX : a->doubt + DOUBT_MORE;
}

void doubt_unexplained(struct thread *t)
{
	struct attribution *a = &t->attribution;

	/* What a connection takes to come or go is work for nobody, and what the loop's turn was for. */
	if (a->mode == ATTRIBUTION_NONE && !a->called && !a->unasked && attribute_waited_for(t) &&
	    live_count(t->tid) > 1)
		doubt_more(a);
}

void attribute_misled(struct thread *t)
{
	/* Tasks share a pool's connections as they like. */
	if (t->attribution.step)
		return;
	trial_fail(TRIAL_ORDER, PROOF);
	doubt_more(&t->attribution);
}

/* Before an answer claims a stretch. */
void doubt_answer(struct thread *t, const struct feed_context *request)
{
	struct attribution *a = &t->attribution;
	bool hidden = a->mode == ATTRIBUTION_NONE || a->mode == ATTRIBUTION_AFTER;
	bool other = a->mode == ATTRIBUTION_ACTIVE && !attribute_same(&a->request, request), late;
	uint32_t turn;

	note_reader(t, request);
	if (a->step || !live_others(t->tid, request->request))
		return;
	note_reads(t, request);
	late = hidden && !a->called && live_turn(t->tid, request->request, &turn) &&
	       a->turn - turn > 1;
	if (other || late) {
		trial_fail(TRIAL_ORDER, PROOF);
		if (attribute_waited_for(t))
			doubt_more(a);
		return;
	}
	/* One answer right behind another proves nothing. */
	if (a->mode == ATTRIBUTION_AFTER && !attribute_waited_for(t))
		return;
	trial_proof(TRIAL_ORDER);
}

void doubt_explained(struct thread *t)
{
	if (t->attribution.doubt && attribute_waited_for(t))
		t->attribution.doubt--;
}

static void note_batch(_Atomic uint32_t *count, _Atomic uint32_t *sampled, bool is_sampled)
{
	uint32_t n = atomic_fetch_add_explicit(count, 1, memory_order_relaxed);

	if (is_sampled)
		atomic_fetch_add_explicit(sampled, 1, memory_order_relaxed);
	if (n < BATCHES_MAX)
		return;
	atomic_store_explicit(count, n / 2, memory_order_relaxed);
	atomic_store_explicit(sampled, atomic_load_explicit(sampled, memory_order_relaxed) / 2,
			      memory_order_relaxed);
}

/* An answer begins: note whether work was sampled before the first of a turn, and between it and others. */
void doubt_order(struct thread *t, const struct feed_context *request)
{
	struct attribution_batches *b = &attribution_batches;
	struct attribution *a = &t->attribution;

	if (a->step)
		return;
	if (a->mode == ATTRIBUTION_NONE) {
		note_batch(&b->firsts, &b->firsts_sampled, attribute_waited_for(t));
		a->looked_ahead = a->turn;
	} else if (a->mode == ATTRIBUTION_AFTER && a->looked_ahead == a->turn &&
		   !attribute_same(&a->request, request)) {
		note_batch(&b->nexts, &b->nexts_sampled, attribute_waited_for(t));
	}
}

/* The nexts are sampled much less often than the firsts. */
static bool is_rarer(uint32_t nexts, uint32_t nexts_sampled, uint64_t firsts, uint64_t firsts_sampled)
{
	return !nexts_sampled || (uint64_t)nexts_sampled * 4 * firsts < firsts_sampled * nexts;
}

/* Whether answers come together, behind all of the work: sampled much less often between them than before. */
static bool is_batching(uint32_t nexts, uint32_t nexts_sampled)
{
	const struct attribution_batches *b = &attribution_batches;

	return is_rarer(nexts, nexts_sampled, attribute_count(&b->firsts), attribute_count(&b->firsts_sampled));
}

enum trial_state doubt_batches(void)
{
	uint32_t nexts = attribute_count(&attribution_batches.nexts);

	if (nexts < BATCHES_MIN)
		return TRIAL_OPEN;
	return is_batching(nexts, attribute_count(&attribution_batches.nexts_sampled)) ? TRIAL_FAILED
										: TRIAL_PASSED;
}

uint64_t doubt_batched(const struct thread *t, const struct feed_context *request)
{
	uint32_t nexts = attribute_count(&attribution_batches.nexts);
	uint32_t nexts_sampled = attribute_count(&attribution_batches.nexts_sampled);

	if (t->attribution.step || !live_others(t->tid, request->request) ||
	    (!nexts && !t->attribution.several) || (nexts && !is_batching(nexts, nexts_sampled)))
		return 0;
	/* Trust is earned here too. */
	return nexts < BATCHES_MIN ? trial_number(TRIAL_BATCH) : TRIAL_NEVER;
}

/* The thread turns from one request to the head of another. */
void doubt_read(const struct thread *t, const struct feed_context *request)
{
	const struct attribution *a = &t->attribution;
	bool is_open = span_read(&t->span)->flags & FEED_SAMPLE_OPEN;

	if (a->mode == ATTRIBUTION_ACTIVE && !a->step && is_open && !attribute_same(&a->request, request))
		note_batch(&attribution_batches.reads, &attribution_batches.reads_sampled,
			   attribute_waited_for(t));
}

/*
 * Calls for several requests go out together. Who works on each request as it reads it has worked up to now on
 * the last; who reads them all first, on any. The former is sampled between reads as often as before writes.
 */
bool doubt_gathered(const struct thread *t)
{
	struct attribution_batches *b = &attribution_batches;
	uint32_t reads;

	if (t->attribution.mode != ATTRIBUTION_ACTIVE)
		return false;
	note_batch(&b->gathered, &b->gathered_sampled, attribute_waited_for(t));
	reads = attribute_count(&b->reads);
	return reads < BATCHES_MIN || is_rarer(reads, attribute_count(&b->reads_sampled), attribute_count(&b->gathered),
					       attribute_count(&b->gathered_sampled));
}
