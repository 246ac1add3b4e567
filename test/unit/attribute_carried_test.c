/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/attribute_carried.c: two threads that work, and one that writes an answer of theirs now and then.
 * Threads are records here, and one thread plays them. They have no ring: what would be told shows in whether
 * a stretch is believed. The counts are the process's, so the tests build on one another.
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

enum { WORKER, COLLEAGUE, CARRIER, THREADS };

static struct thread threads[THREADS];

static int setup(void **state)
{
	live_number();
	for (int i = 0; i < THREADS; i++)
		threads[i].tid = 100 + i;
	return 0;
}

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

static void works_and_answers(struct thread *t)
{
	tick(t);
	answers(t);
}

static void idles(struct thread *t)
{
	attribute_idle(t);
}

static void who_works_for_what_it_answers_carries_nothing(void **state)
{
	attribute_start(&threads[WORKER]);
	attribute_start(&threads[COLLEAGUE]);
	for (int i = 0; i < 20; i++) {
		works_and_answers(&threads[WORKER]);
		assert_false(carried_since(&threads[COLLEAGUE].attribution));
		works_and_answers(&threads[COLLEAGUE]);
		assert_false(carried_since(&threads[WORKER].attribution));
	}
	assert_false(carried_lately(&threads[WORKER].attribution));
}

/* Twice as fast as others is nothing special. */
static void who_is_sampled_less_often_is_believed_for_a_while(void **state)
{
	for (int i = 0; i < 20; i++) {
		works_and_answers(&threads[WORKER]);
		if (i % 2 == 0)
			tick(&threads[COLLEAGUE]);
		answers(&threads[COLLEAGUE]);
	}
	assert_false(carried_lately(&threads[WORKER].attribution));
}

static void what_began_before_an_answer_was_carried_is_not_believed(void **state)
{
	struct attribution *a = &threads[WORKER].attribution;

	attribute_start(&threads[CARRIER]);
	/* A few may be chance. */
	for (int i = 0; i < 3; i++)
		answers(&threads[CARRIER]);
	assert_false(carried_since(a));
	for (int i = 0; i < 3; i++)
		answers(&threads[CARRIER]);
	assert_true(carried_since(a));
	assert_true(carried_since(&threads[COLLEAGUE].attribution));
	/* The next stretch is, */
	works_and_answers(&threads[WORKER]);
	assert_false(carried_since(a));
	idles(&threads[WORKER]);
	assert_false(carried_since(a));
	answers(&threads[CARRIER]);
	assert_true(carried_since(a));
}

static void while_answers_are_carried_nothing_passes_for_a_tail(void **state)
{
	struct thread *t = &threads[WORKER];

	for (int i = 0; i < 20; i++)
		answers(&threads[CARRIER]);
	works_and_answers(t);
	assert_true(carried_lately(&t->attribution));
	assert_int_equal(t->attribution.mode, ATTRIBUTION_AFTER);
	assert_int_equal(attribute_inherited(t).request.request, 0);
	/* Until many answers came without. */
	for (int i = 0; i < 1100; i++)
		works_and_answers(t);
	assert_false(carried_lately(&t->attribution));
	assert_int_equal(attribute_inherited(t).request.request, t->attribution.request.request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_works_for_what_it_answers_carries_nothing, setup),
		cmocka_unit_test_setup(who_is_sampled_less_often_is_believed_for_a_while, setup),
		cmocka_unit_test_setup(what_began_before_an_answer_was_carried_is_not_believed, setup),
		cmocka_unit_test_setup(while_answers_are_carried_nothing_passes_for_a_tail, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
