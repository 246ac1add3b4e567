/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/handoff.c: which wakes pass a request on. Threads are records here, and one thread plays them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "shim/handoff.h"
#include "shim/live.h"
#include "shim/thread.h"

#define THREADS 4

static struct thread threads[THREADS];
static int queue, other_queue;

static struct feed_context request_of(uint32_t number)
{
	return (struct feed_context){.flags = FEED_CONTEXT_REQUEST, .request = number};
}

static int setup(void **state)
{
	live_number();
	memset(threads, 0, sizeof(threads));
	for (int i = 0; i < THREADS; i++)
		threads[i].tid = 100 + i;
	return 0;
}

/* Whoever was woken idles again, and so nobody is at work. */
static int teardown(void **state)
{
	for (int i = 0; i < THREADS; i++) {
		if (handoff_waits(&threads[i], &queue))
			handoff_woken(&threads[i], &queue, true);
	}
	return 0;
}

static void works_on(int i, uint32_t number)
{
	struct feed_context request = request_of(number);

	attribute_read(&threads[i], &request);
}

static uint32_t known(int i)
{
	const struct feed_context *request = attribute_known(&threads[i]);

	return request ? request->request : 0;
}

static void an_idle_thread_takes_over_the_request_of_its_waker(void **state)
{
	works_on(0, 7);
	assert_true(handoff_waits(&threads[1], &queue));
	handoff_wakes(&threads[0], &queue, false);
	handoff_woken(&threads[1], &queue, true);
	assert_int_equal(known(1), 7);
	assert_int_equal(known(0), 7);
	/* Until it idles again. */
	assert_true(handoff_waits(&threads[1], &queue));
	assert_int_equal(known(1), 0);
	handoff_woken(&threads[1], &queue, true);
	assert_int_equal(known(1), 0);
}

static void who_has_work_of_its_own_keeps_it(void **state)
{
	works_on(0, 7);
	works_on(1, 8);
	assert_true(handoff_waits(&threads[1], &queue));
	handoff_wakes(&threads[0], &queue, false);
	handoff_woken(&threads[1], &queue, true);
	assert_int_equal(known(1), 8);
}

static void a_wake_by_a_thread_without_a_request_passes_none(void **state)
{
	assert_true(handoff_waits(&threads[1], &queue));
	handoff_wakes(&threads[0], &queue, false);
	handoff_woken(&threads[1], &queue, true);
	assert_int_equal(known(1), 0);
}

static void two_wakes_at_a_time_pass_neither_request(void **state)
{
	works_on(0, 7);
	works_on(3, 9);
	assert_true(handoff_waits(&threads[1], &queue));
	assert_true(handoff_waits(&threads[2], &queue));
	handoff_wakes(&threads[0], &queue, false);
	handoff_wakes(&threads[3], &queue, false);
	handoff_woken(&threads[1], &queue, true);
	handoff_woken(&threads[2], &queue, true);
	assert_int_equal(known(1), 0);
	assert_int_equal(known(2), 0);
}

static void a_broadcast_to_several_passes_none(void **state)
{
	works_on(0, 7);
	assert_true(handoff_waits(&threads[1], &queue));
	assert_true(handoff_waits(&threads[2], &queue));
	handoff_wakes(&threads[0], &queue, true);
	handoff_woken(&threads[1], &queue, true);
	handoff_woken(&threads[2], &queue, true);
	assert_int_equal(known(1), 0);
	assert_int_equal(known(2), 0);
}

/* A busy pool's threads take items off the queue without a call, so a woken one may find any. */
static void a_wake_into_a_pool_at_work_passes_none(void **state)
{
	works_on(0, 7);
	works_on(3, 9);
	assert_true(handoff_waits(&threads[1], &queue));
	handoff_wakes(&threads[0], &queue, false);
	handoff_woken(&threads[1], &queue, true);
	assert_true(handoff_waits(&threads[2], &queue));
	handoff_wakes(&threads[3], &queue, false);
	handoff_woken(&threads[2], &queue, true);
	assert_int_equal(known(1), 7);
	assert_int_equal(known(2), 0);
}

static void who_was_handed_work_and_wakes_another_has_done_it(void **state)
{
	works_on(0, 7);
	assert_true(handoff_waits(&threads[1], &queue));
	handoff_wakes(&threads[0], &queue, false);
	handoff_woken(&threads[1], &queue, true);
	works_on(3, 9);
	assert_true(handoff_waits(&threads[3], &other_queue));
	handoff_wakes(&threads[1], &other_queue, false);
	handoff_woken(&threads[3], &other_queue, true);
	assert_int_equal(known(1), 0);
	assert_int_equal(known(3), 9);
}

/* It began to wait before anything was known of requests, so nothing was noted. */
static void who_waited_since_before_the_first_request_is_looked_at_from_then_on(void **state)
{
	assert_false(span_read(&threads[1].span)->flags & FEED_SAMPLE_OPEN);
	handoff_woken(&threads[1], &queue, false);
	assert_true(span_read(&threads[1].span)->flags & FEED_SAMPLE_OPEN);
	assert_int_equal(known(1), 0);
}

/* A lock that nobody waits at is no hand-off. */
static void a_wake_of_nobody_is_forgotten(void **state)
{
	works_on(0, 7);
	handoff_wakes(&threads[0], &queue, false);
	assert_true(handoff_waits(&threads[1], &queue));
	handoff_woken(&threads[1], &queue, true);
	assert_int_equal(known(1), 0);
}

/* Several may be in the queue. */
static void a_wake_while_another_request_is_unfinished_passes_none(void **state)
{
	struct feed_context first = request_of(7), second = request_of(9);

	live_begin(&first, 100, 0);
	live_begin(&second, 103, 0);
	works_on(0, 7);
	assert_true(handoff_waits(&threads[1], &queue));
	handoff_wakes(&threads[0], &queue, false);
	live_end(7);
	live_end(9);
	handoff_woken(&threads[1], &queue, true);
	assert_int_equal(known(1), 0);
	assert_int_equal(threads[1].attribution.mode, ATTRIBUTION_NONE);
}

static void a_request_that_comes_meanwhile_makes_handed_work_uncertain(void **state)
{
	works_on(0, 7);
	assert_true(handoff_waits(&threads[1], &queue));
	handoff_wakes(&threads[0], &queue, false);
	live_number();
	handoff_woken(&threads[1], &queue, true);
	assert_int_equal(known(1), 0);
	assert_int_equal(threads[1].attribution.mode, ATTRIBUTION_HANDED);
}

/* Who waits for the outcome says what was worked on. */
static void who_wakes_the_request_s_own_thread_keeps_it(void **state)
{
	works_on(0, 7);
	assert_true(handoff_waits(&threads[1], &queue));
	handoff_wakes(&threads[0], &queue, false);
	handoff_woken(&threads[1], &queue, true);
	assert_true(handoff_waits(&threads[0], &other_queue));
	handoff_wakes(&threads[1], &other_queue, false);
	handoff_woken(&threads[0], &other_queue, true);
	assert_int_equal(known(1), 7);
	/* Not if others wait there too: a lock, say. */
	works_on(3, 9);
	assert_true(handoff_waits(&threads[0], &other_queue));
	assert_true(handoff_waits(&threads[3], &other_queue));
	handoff_wakes(&threads[1], &other_queue, false);
	assert_int_equal(known(1), 0);
	handoff_woken(&threads[0], &other_queue, true);
	handoff_wakes(&threads[2], &other_queue, false);
	handoff_woken(&threads[3], &other_queue, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_idle_thread_takes_over_the_request_of_its_waker, setup, teardown),
	    cmocka_unit_test_setup_teardown(who_has_work_of_its_own_keeps_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_wake_by_a_thread_without_a_request_passes_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(two_wakes_at_a_time_pass_neither_request, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_broadcast_to_several_passes_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_wake_into_a_pool_at_work_passes_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(who_was_handed_work_and_wakes_another_has_done_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(who_waited_since_before_the_first_request_is_looked_at_from_then_on,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(a_wake_of_nobody_is_forgotten, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_wake_while_another_request_is_unfinished_passes_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_request_that_comes_meanwhile_makes_handed_work_uncertain, setup, teardown),
	    cmocka_unit_test_setup_teardown(who_wakes_the_request_s_own_thread_keeps_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
