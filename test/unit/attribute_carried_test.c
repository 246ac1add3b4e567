/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/attribute_carried.c: two threads that work. Threads are records here, and one thread plays them. They have no
 * ring: what would be told shows in whether a stretch is believed. What is known is the process's, so the tests
 * build on one another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "shim/attribute.h"
#include "shim/attribute_doubt.h"
#include "shim/attribute_turn.h"
#include "shim/live.h"
#include "shim/thread.h"

static struct thread worker = {.tid = 100};

static void tick(struct thread *t)
{
	const struct span_copy *now = span_read(&t->span);

	if (now->flags & FEED_SAMPLE_OPEN)
		atomic_store(&t->span.sampled, now->stretch);
}

static void answers(struct thread *t)
{
	struct feed_context request = {.flags = FEED_CONTEXT_REQUEST, .request = live_number()};

	attribute_write(t, &request, true);
}

static bool believes_an_answer(const struct thread *t)
{
	struct feed_context next = {.flags = FEED_CONTEXT_REQUEST, .request = live_number()};

	return attribute_claimed(t, &next, 0).request.request == next.request;
}

static void shared_answers_are_no_matter_where_threads_wait_before_each_request(void **state)
{
	live_number();
	attribute_start(&worker);
	attribute_shared_answers();
	for (int i = 0; i < 20; i++) {
		tick(&worker);
		assert_true(believes_an_answer(&worker));
		answers(&worker);
		attribute_idle(&worker);
	}
	assert_false(carried_lately());
}

static void requests_in_a_row_are_no_matter_where_each_connection_is_answered_by_one_thread(void **state)
{
	for (int i = 0; i < 1100; i++)
		answers(&worker);
	tick(&worker);
	answers(&worker);
	assert_true(carried_in_a_row());
	assert_false(carried_lately());
	assert_true(believes_an_answer(&worker));
}

static void where_both_come_together_no_answer_tells_whose_the_work_was(void **state)
{
	uint64_t told[3];

	/* What waited for a verdict was believed for an answer too. */
	trial_fail(TRIAL_ORDER, 4);
	told[0] = trial_number(TRIAL_ORDER);
	told[1] = trial_number(TRIAL_READER);
	told[2] = trial_number(TRIAL_POOL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(trial_by_now(told[i]), told[i]);
	attribute_shared_answers();
	for (int i = 0; i < 3; i++)
		assert_int_equal(trial_by_now(told[i]), TRIAL_NEVER);
	told[0] = trial_number(TRIAL_ORDER);
	attribute_shared_answers();
	assert_int_equal(trial_by_now(told[0]), told[0]);
	assert_false(believes_an_answer(&worker));
	assert_int_equal(attribute_inherited(&worker).request.request, 0);
	/* Until many answers came without. */
	for (int i = 0; i < 1023; i++)
		answers(&worker);
	assert_false(believes_an_answer(&worker));
	answers(&worker);
	assert_true(believes_an_answer(&worker));
	assert_int_equal(attribute_inherited(&worker).request.request, worker.attribution.request.request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_answers_are_no_matter_where_threads_wait_before_each_request),
		cmocka_unit_test(requests_in_a_row_are_no_matter_where_each_connection_is_answered_by_one_thread),
		cmocka_unit_test(where_both_come_together_no_answer_tells_whose_the_work_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
