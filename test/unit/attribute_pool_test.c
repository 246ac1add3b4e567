/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/attribute_pool.c: a reader, two workers and a thread that sends what others have worked for. Threads are
 * records here, and one thread plays them. They have no ring: what would be told shows in whether a stretch is
 * believed. What is known is the process's, so the tests build on one another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "shim/attribute.h"
#include "shim/attribute_pool.h"
#include "shim/attribute_turn.h"
#include "shim/clock.h"
#include "shim/live.h"
#include "shim/thread.h"

enum belief { NEVER, ON_TRIAL, SURELY };

static struct thread reader = {.tid = 100}, worker = {.tid = 101}, another = {.tid = 102}, carrier = {.tid = 103};
static struct feed_context other; /* hardly ever finished */

static struct feed_context is_read(void)
{
	struct feed_context request = {.flags = FEED_CONTEXT_REQUEST, .request = live_number()};

	live_begin(&request, reader.tid, reader.attribution.turn);
	return request;
}

static void works(struct thread *t)
{
	const struct span_copy *now = span_read(&t->span);

	assert_true(now->flags & FEED_SAMPLE_OPEN);
	atomic_store(&t->span.sampled, now->stretch);
}

static void idles(struct thread *t)
{
	attribute_idle(t);
	pool_begins(t, NULL);
}

static void answers(struct thread *t, const struct feed_context *request)
{
	attribute_write(t, request, true);
	live_end(request->request);
}

/* A job that was in the queue, which others are in. */
static void serves(struct thread *t)
{
	struct feed_context request = is_read();

	if (!live_has(other.request))
		other = is_read();

	works(t);
	answers(t, &request);
}

static enum belief belief(const struct thread *t, const struct feed_context *request)
{
	struct attribute_owner owner = attribute_claimed(t, request, 0);

	if (owner.request.request != request->request)
		return NEVER;
	return owner.trial ? ON_TRIAL : SURELY;
}

/* Of one that is being answered in a row. */
static enum belief belief_in_row(struct thread *t)
{
	struct feed_context request = is_read();
	enum belief found = belief(t, &request);

	live_end(request.request);
	return found;
}

static void pass(void)
{
	for (int i = 0; i < 1 << 20 && belief_in_row(&worker) != SURELY; i++) {
		serves(&worker);
		serves(&another);
	}
	assert_int_equal(belief_in_row(&worker), SURELY);
}

static int start(void **state)
{
	struct thread *threads[] = {&reader, &worker, &another, &carrier};

	live_number();
	for (int i = 0; i < 4; i++)
		attribute_start(threads[i]);
	return 0;
}

static void with_one_request_there_is_nothing_to_mistake(void **state)
{
	struct feed_context request;

	for (int i = 0; i < 3; i++) {
		idles(&worker);
		request = is_read();
		works(&worker);
		assert_int_equal(belief(&worker, &request), SURELY);
		answers(&worker, &request);
		/* Taken without a wait. */
		request = is_read();
		works(&worker);
		assert_int_equal(belief(&worker, &request), SURELY);
		answers(&worker, &request);
	}
	/* One that came and went meanwhile may be what the thread has worked for. */
	request = is_read();
	works(&worker);
	answers(&carrier, &request);
	assert_int_equal(attribute_inherited(&worker).request.request, 0);
	request = is_read();
	assert_int_equal(belief(&worker, &request), ON_TRIAL);
	answers(&worker, &request);
}

static void a_pool_is_on_trial_until_it_has_worked_for_many_answers(void **state)
{
	idles(&worker);
	serves(&worker);
	assert_int_equal(belief_in_row(&worker), ON_TRIAL);
	for (int i = 0; i < 70; i++)
		serves(i % 2 ? &worker : &another);
	assert_int_equal(belief_in_row(&worker), ON_TRIAL);
	for (int i = 0; i < 40; i++)
		serves(i % 2 ? &worker : &another);
	assert_int_equal(belief_in_row(&worker), SURELY);
}

static void a_thread_that_sends_what_others_worked_for_makes_no_answer_believed(void **state)
{
	for (int i = 0; i < 200; i++) {
		struct feed_context request = is_read();

		works(&worker);
		idles(&carrier);
		answers(&carrier, &request);
		for (int j = 0; j < 4; j++)
			serves(&worker);
	}
	assert_int_equal(belief_in_row(&worker), NEVER);
	pass();
}

static void work_before_a_wait_that_nobody_answered_makes_none_believed(void **state)
{
	/* Once is nothing. */
	works(&worker);
	idles(&worker);
	serves(&worker);
	assert_int_equal(belief_in_row(&worker), SURELY);
	for (int i = 0; i < 4; i++) {
		works(&worker);
		idles(&worker);
		serves(&worker);
	}
	assert_int_equal(belief_in_row(&worker), NEVER);
	pass();
}

static void waits_right_behind_answers_make_up_for_some_that_are_not(void **state)
{
	for (int i = 0; i < 400; i++) {
		if (i % 40 == 0)
			works(&worker);
		idles(&worker);
		serves(&worker);
	}
	assert_int_equal(belief_in_row(&worker), SURELY);
}

static void a_reader_that_answers_later_without_work_makes_none_believed(void **state)
{
	for (int i = 0; i < 4; i++) {
		struct feed_context request = is_read();

		/* In the same turn it may have been the reader's own. */
		answers(&reader, &request);
	}
	assert_int_equal(belief_in_row(&worker), SURELY);
	for (int i = 0; i < 4; i++) {
		struct feed_context request = is_read();

		attribute_wait(&reader, true);
		attribute_waited(&reader);
		attribute_woken(&reader);
		answers(&reader, &request);
	}
	assert_int_equal(belief_in_row(&worker), NEVER);
	pass();
}

static void spins(unsigned us)
{
	uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + us * 1000;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static void requests_may_differ_in_their_cost(void **state)
{
	for (int i = 0; i < 200; i++) {
		spins(i % 2 ? 100 : 400);
		serves(&worker);
	}
	assert_int_equal(belief_in_row(&worker), SURELY);
}

/* Every tenth job is an answer, and comes behind another's. */
static void an_answer_for_next_to_nothing_makes_none_believed(void **state)
{
	for (int i = 0; i < 200; i++) {
		spins(i % 10 ? 300 : 0);
		serves(&worker);
	}
	assert_int_equal(belief_in_row(&worker), NEVER);
	for (int i = 0; i < 200; i++) {
		spins(100);
		serves(&worker);
	}
	pass();
}

static void a_line_in_a_log_begins_what_the_next_answer_claims(void **state)
{
	pass();
	serves(&worker);
	works(&worker);
	assert_int_equal(attribute_inherited(&worker).request.request, 0);
	attribute_other(&worker);
	assert_int_equal(worker.attribution.mode, ATTRIBUTION_NONE);
	works(&worker);
	assert_int_equal(belief_in_row(&worker), SURELY);
	/* Nor does that make it another's than without a log. */
	assert_true(attribute_worked(&worker));
	attribute_other(&worker);
	assert_int_equal(belief_in_row(&worker), SURELY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_one_request_there_is_nothing_to_mistake),
		cmocka_unit_test(a_pool_is_on_trial_until_it_has_worked_for_many_answers),
		cmocka_unit_test(a_thread_that_sends_what_others_worked_for_makes_no_answer_believed),
		cmocka_unit_test(work_before_a_wait_that_nobody_answered_makes_none_believed),
		cmocka_unit_test(waits_right_behind_answers_make_up_for_some_that_are_not),
		cmocka_unit_test(a_reader_that_answers_later_without_work_makes_none_believed),
		cmocka_unit_test(requests_may_differ_in_their_cost),
		cmocka_unit_test(an_answer_for_next_to_nothing_makes_none_believed),
		cmocka_unit_test(a_line_in_a_log_begins_what_the_next_answer_claims),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
