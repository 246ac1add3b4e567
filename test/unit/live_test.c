/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/live.c: which requests are unfinished, whose, and of which trace. One thread plays all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "shim/live.h"

static struct feed_context request_of(uint32_t number, uint8_t trace)
{
	struct feed_context request = {.flags = FEED_CONTEXT_REQUEST | FEED_CONTEXT_IDS,
				       .request = number};

	memset(request.trace_id, trace, sizeof(request.trace_id));
	return request;
}

static void begin(uint32_t number, uint8_t trace, int32_t tid)
{
	struct feed_context request = request_of(number, trace);

	live_begin(&request, tid, 0);
}

static int end_all(void **state)
{
	for (uint32_t n = 1; n < 3 * LIVE_MAX; n++)
		live_end(n);
	for (int32_t tid = 0; tid < 1024; tid++)
		assert_int_equal(live_count(tid), 0);
	return 0;
}

static uint32_t sole(int32_t tid)
{
	struct feed_context request = {.request = 0};

	return live_sole(tid, &request) ? request.request : 0;
}

static uint32_t of_trace(uint8_t trace)
{
	struct feed_context expected = request_of(0, trace), request = {.request = 0};

	return live_of_trace(expected.trace_id, &request) ? request.request : 0;
}

static void the_only_one_left_is_known_whichever_it_is(void **state)
{
	assert_int_equal(sole(7), 0);
	begin(11, 1, 7);
	assert_int_equal(sole(7), 11);
	begin(12, 2, 7);
	begin(13, 3, 7);
	assert_int_equal(sole(7), 0);
	assert_int_equal(live_count(7), 3);
	live_end(13);
	live_end(11);
	assert_int_equal(sole(7), 12);
	live_end(12);
	assert_int_equal(sole(7), 0);
}

static void what_had_a_task_go_on_is_told_of_each(void **state)
{
	begin(11, 1, 7);
	begin(12, 2, 7);
	live_wake(11);
	live_wake(13);
	assert_true(live_woke(11));
	assert_false(live_woke(12));
	live_end(11);
	live_wake(11);
	assert_false(live_woke(11));
	begin(11 + LIVE_MAX, 1, 7); /* where it was */
	assert_false(live_woke(11 + LIVE_MAX));
	live_wake(0);
	assert_false(live_woke(0));
}

static void a_request_ends_once(void **state)
{
	begin(11, 1, 7);
	begin(12, 2, 7);
	live_end(11);
	live_end(11);
	live_end(0);
	assert_false(live_has(11));
	assert_true(live_has(12));
	assert_int_equal(live_count(7), 1);
}

static void threads_are_told_apart(void **state)
{
	begin(11, 1, 7);
	begin(12, 2, 8);
	assert_int_equal(sole(7), 11);
	assert_int_equal(sole(8), 12);
	assert_int_equal(live_others(7, 11), 0);
	assert_int_equal(live_others(7, 12), 1);
	/* Two that share a counter are too many for either, and never one for the other. */
	begin(13, 3, 7 + 1024);
	assert_int_equal(sole(7), 0);
	live_end(11);
	assert_int_equal(sole(7), 0);
	assert_int_equal(sole(7 + 1024), 13);
}

static void a_trace_of_two_unfinished_requests_names_neither(void **state)
{
	begin(11, 1, 7);
	assert_int_equal(of_trace(1), 11);
	assert_int_equal(of_trace(2), 0);
	begin(12, 1, 8);
	assert_int_equal(of_trace(1), 0);
	live_end(12);
	assert_int_equal(of_trace(1), 0);
	live_end(11);
	begin(13, 1, 7);
	assert_int_equal(of_trace(1), 13);
}

static void what_the_table_cannot_hold_is_finished(void **state)
{
	begin(5, 1, 7);
	begin(5 + LIVE_MAX, 2, 7);
	assert_false(live_has(5));
	assert_int_equal(sole(7), 5 + LIVE_MAX);
	live_end(5);
	assert_int_equal(live_count(7), 1);
}

static void numbers_are_never_zero_or_the_same(void **state)
{
	uint32_t first = live_number();

	assert_int_not_equal(first, 0);
	assert_int_equal(live_number(), first + 1);
	assert_true(live_any());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(the_only_one_left_is_known_whichever_it_is, end_all),
	    cmocka_unit_test_teardown(what_had_a_task_go_on_is_told_of_each, end_all),
	    cmocka_unit_test_teardown(a_request_ends_once, end_all),
	    cmocka_unit_test_teardown(threads_are_told_apart, end_all),
	    cmocka_unit_test_teardown(a_trace_of_two_unfinished_requests_names_neither, end_all),
	    cmocka_unit_test_teardown(what_the_table_cannot_hold_is_finished, end_all),
	    cmocka_unit_test(numbers_are_never_zero_or_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
