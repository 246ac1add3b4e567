/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_carried.c - answers that go out by a thread that did none of the work for them, as gRPC's core hands
 * the writing to whichever thread has the connection when several want it. Who did the work goes on to the next
 * request without a call, and the answer to that would claim both. APP; relaxed counters of the process.
 *
 * Answers on one HTTP/2 connection by more than one thread show it. It is no matter where threads wait before each
 * request that they take up, as in Python: there a stretch holds the work for one alone.
 */
#include <stdatomic.h>

#include "shim/attribute_doubt.h"
#include "shim/attribute_trial.h"
#include "shim/attribute_turn.h"
#include "shim/thread.h"

#define LATELY 1024 /* answers of the process */

struct attribution_carried attribution_carried;

/* What was told meanwhile on trial, because a thread had read or answers a request, is disproved. */
static void fail_if_new(bool before)
{
	if (before || !carried_lately())
		return;
	trial_fail(TRIAL_POOL, 0);
	trial_fail(TRIAL_READER, 0);
	/* Last: its count stands for both where two are waited for. */
	trial_fail(TRIAL_ORDER, 0);
}

void attribute_shared_answers(void)
{
	bool before = carried_lately();

	atomic_store_explicit(&attribution_carried.lately, LATELY, memory_order_relaxed);
	fail_if_new(before);
}

void carried_answer(struct thread *t, const struct feed_context *request)
{
	uint32_t lately = attribute_count(&attribution_carried.lately);
	bool before = carried_lately();

	if (lately)
		atomic_store_explicit(&attribution_carried.lately, lately - 1, memory_order_relaxed);
	if (attribute_in_a_row(t, request) && attribute_worked(t))
		atomic_store_explicit(&attribution_carried.in_a_row, 1, memory_order_relaxed);
	fail_if_new(before);
}

bool carried_in_a_row(void)
{
	return attribute_count(&attribution_carried.in_a_row);
}

bool carried_lately(void)
{
	return attribute_count(&attribution_carried.lately) && carried_in_a_row();
}
