/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_carried.c - answers that go out by a thread that did none of the work for them, as gRPC's core
 * hands the writing to a thread of its own when two want the connection. Who did the work goes on to the
 * next request without a call, and the answer to that would claim both. APP; relaxed counters of the
 * process, and the thread's own.
 *
 * Such a thread's stretches before its answers are hardly ever sampled, compared with those of others.
 * While one writes, nobody else's stretch is believed that had begun before: some of it may be that
 * answer's. It is no matter where threads wait before each request that they take up: there a stretch holds
 * the work for one alone. As long as a thread has done so lately, nobody's stretch after an answer passes for
 * that one's tail either: it may be the work for one that is still to be carried.
 */
#include <stdatomic.h>

#include "shim/attribute_doubt.h"
#include "shim/attribute_trial.h"
#include "shim/attribute_turn.h"
#include "shim/thread.h"

#define SHARE 4 /* so much less often than others is hardly ever */
#define EXPECTED 3
#define LATELY 256 /* answers of the process */
#define COUNT_MAX 1024 /* counts are halved there */

struct attribution_carried attribution_carried;

static uint32_t get(const _Atomic uint32_t *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

static void note(struct attribution *a, bool is_sampled)
{
	struct attribution_carried *c = &attribution_carried;
	uint32_t lately = get(&c->lately);

	if (lately)
		atomic_store_explicit(&c->lately, lately - 1, memory_order_relaxed);
	a->answers++;
	a->answers_sampled += is_sampled;
	if (a->answers >= COUNT_MAX) {
		a->answers /= 2;
		a->answers_sampled /= 2;
	}
	if (is_sampled)
		atomic_fetch_add_explicit(&c->sampled, 1, memory_order_relaxed);
	if (atomic_fetch_add_explicit(&c->answers, 1, memory_order_relaxed) < COUNT_MAX)
		return;
	atomic_store_explicit(&c->answers, get(&c->answers) / 2, memory_order_relaxed);
	atomic_store_explicit(&c->sampled, get(&c->sampled) / 2, memory_order_relaxed);
}

/* An answer goes out of an unsampled stretch. */
static void note_carried(const struct attribution *a)
{
	struct attribution_carried *c = &attribution_carried;
	uint64_t all = get(&c->answers), expected = (uint64_t)a->answers * get(&c->sampled);

	/* Where few samples were to be expected, the lack of one shows nothing. */
	if (expected < EXPECTED * all || SHARE * a->answers_sampled * all >= expected)
		return;
	atomic_fetch_add_explicit(&c->carried, 1, memory_order_relaxed);
	atomic_store_explicit(&c->lately, LATELY, memory_order_relaxed);
}

void carried_answer(struct thread *t, const struct feed_context *request)
{
	struct attribution *a = &t->attribution;
	bool after = a->mode == ATTRIBUTION_AFTER, is_sampled = attribute_waited_for(t);

	if (a->step || (!after && a->mode != ATTRIBUTION_NONE))
		return;
	note(a, is_sampled);
	if (after && is_sampled && !attribute_same(&a->request, request))
		atomic_store_explicit(&attribution_carried.in_a_row, 1, memory_order_relaxed);
	if (!is_sampled)
		note_carried(a);
}

void carried_begin(struct attribution *a)
{
	a->carried = get(&attribution_carried.carried);
}

bool carried_in_a_row(void)
{
	return get(&attribution_carried.in_a_row);
}

uint64_t carried_since(const struct attribution *a)
{
	const struct attribution_carried *c = &attribution_carried;

	return !a->step && a->carried != get(&c->carried) && get(&c->in_a_row) ? TRIAL_NEVER : 0;
}

uint64_t carried_lately(const struct attribution *a)
{
	const struct attribution_carried *c = &attribution_carried;

	return !a->step && get(&c->lately) && get(&c->in_a_row) ? TRIAL_NEVER : 0;
}
