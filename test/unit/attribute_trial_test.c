/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/attribute_trial.c: what hangs on two trials at a time. Threads are records here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "shim/attribute.h"
#include "shim/attribute_doubt.h"
#include "shim/attribute_trial.h"
#include "shim/live.h"
#include "shim/thread.h"

#define PROOF 3

static struct feed_context head(int32_t tid)
{
	struct feed_context request = {.flags = FEED_CONTEXT_REQUEST, .request = live_number()};

	live_begin(&request, tid, 0);
	return request;
}

/* First: READER has not failed yet. */
static void who_answers_anothers_request_is_believed_of_none_that_waited(void **state)
{
	struct thread reader = {.tid = 100}, another = {.tid = 102};
	struct feed_context others = head(reader.tid + 1), first = head(reader.tid), last = head(reader.tid);
	uint64_t both;

	attribute_read(&reader, &first);
	attribute_read(&reader, &last);
	attribute_read_several(&another);
	assert_int_equal(doubt_reader(&another, true), trial_number(TRIAL_READER));
	assert_true(trial_left(TRIAL_READER) > trial_left(TRIAL_ORDER));
	both = doubt_active(&reader, &last);
	assert_true(both && both != TRIAL_NEVER);
	assert_int_equal(trial_by_now(both), both);
	attribute_write(&reader, &others, true);
	assert_int_equal(trial_by_now(both), TRIAL_NEVER);
	assert_int_equal(doubt_active(&reader, &last), TRIAL_NEVER);
}

static void what_hangs_on_two_trials_waits_for_both(void **state)
{
	static const enum trial_kind kinds[] = {TRIAL_ORDER, TRIAL_READER};
	uint64_t both;

	for (int first = 0; first < 2; first++) {
		trial_fail(TRIAL_ORDER, PROOF);
		trial_fail(TRIAL_READER, PROOF);
		both = trial_both(trial_number(TRIAL_READER), trial_number(TRIAL_ORDER));
		assert_int_equal(both, trial_both(trial_number(TRIAL_ORDER), trial_number(TRIAL_READER)));
		assert_int_equal(trial_both(both, trial_number(TRIAL_READER)), both);
		while (trial_left(kinds[first]))
			trial_proof(kinds[first]);
		assert_int_equal(trial_by_now(both), both);
		while (trial_left(kinds[!first]))
			trial_proof(kinds[!first]);
		assert_int_equal(trial_by_now(both), 0);
	}
}

static void what_hangs_on_two_trials_falls_with_either(void **state)
{
	uint64_t reader, order, both;

	trial_fail(TRIAL_ORDER, PROOF);
	trial_fail(TRIAL_READER, PROOF);
	reader = trial_number(TRIAL_READER);
	order = trial_number(TRIAL_ORDER);
	both = trial_both(reader, order);
	trial_fail(TRIAL_ORDER, 0);
	assert_int_equal(trial_by_now(both), TRIAL_NEVER);
	assert_int_equal(trial_both(reader, order), TRIAL_NEVER);
	order = trial_number(TRIAL_ORDER);
	trial_fail(TRIAL_READER, 0);
	assert_int_equal(trial_both(reader, order), TRIAL_NEVER);
}

static void what_cannot_wait_for_both_is_never_told(void **state)
{
	uint64_t order;

	trial_fail(TRIAL_ORDER, PROOF);
	trial_fail(TRIAL_POOL, PROOF);
	order = trial_number(TRIAL_ORDER);
	assert_int_equal(trial_both(TRIAL_NEVER, order), TRIAL_NEVER);
	assert_int_equal(trial_both(order, TRIAL_NEVER), TRIAL_NEVER);
	assert_int_equal(trial_both(trial_number(TRIAL_POOL), order), TRIAL_NEVER);
	assert_int_equal(trial_both(order, 0), order);
	assert_int_equal(trial_both(0, order), order);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_answers_anothers_request_is_believed_of_none_that_waited),
	    cmocka_unit_test(what_hangs_on_two_trials_waits_for_both),
	    cmocka_unit_test(what_hangs_on_two_trials_falls_with_either),
	    cmocka_unit_test(what_cannot_wait_for_both_is_never_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
