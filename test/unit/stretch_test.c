/* SPDX-License-Identifier: Apache-2.0 */
/* agent/stretch.c: samples that wait for an owner get the right one, in time, and leak nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "agent/stretch.h"

/* What was settled: the owner's request number and the weight of each, in order. */
static uint32_t owners[64];
static uint64_t weights[64];
static size_t settled_count;
static struct stretch_table table;
static struct stretches queue;
static const struct frame no_frames[1];
/* The process's: of kind 3, as trials are numbered here. */
static struct feed_verdict verdicts[FEED_TRIAL_KINDS];

static void settled(void *arg, struct stack *stack, const struct feed_context *context,
		    uint64_t weight)
{
	assert_ptr_equal(arg, &table);
	assert_non_null(stack);
	if (settled_count < 64) {
		owners[settled_count] = context->request;
		weights[settled_count] = weight;
	}
	settled_count++;
}

static int setup(void **state)
{
	table = (struct stretch_table){.settled = settled, .arg = &table};
	queue = (struct stretches){0};
	settled_count = 0;
	memset(verdicts, 0, sizeof(verdicts));
	return 0;
}

static int teardown(void **state)
{
	stretch_expire(&table, &queue, 0, 0);
	return table.pending != 0 || table.tried != 0;
}

static void hold(uint64_t stretch, uint64_t weight, uint64_t now)
{
	struct stack *stack = stack_new(no_frames, 0, true);

	assert_non_null(stack);
	stretch_hold(&table, &queue, stretch, stack, weight, now);
}

static void end(uint64_t stretch, uint32_t request)
{
	struct feed_context owner = {.flags = FEED_CONTEXT_REQUEST, .request = request};

	stretch_end(&table, &queue, stretch, &owner);
}

#define ASSERT_OWNERS(...)                                                                         \
	do {                                                                                       \
		const uint32_t expected[] = {__VA_ARGS__};                                         \
		assert_int_equal(settled_count, sizeof(expected) / sizeof(expected[0]));           \
		assert_memory_equal(owners, expected, sizeof(expected));                           \
	} while (0)

static void a_stretchs_samples_get_its_owner_and_keep_their_weight(void **state)
{
	hold(7, 1, 0);
	hold(7, 30, 0);
	assert_int_equal(settled_count, 0);
	end(7, 42);
	ASSERT_OWNERS(42, 42);
	assert_int_equal(weights[0], 1);
	assert_int_equal(weights[1], 30);
	assert_int_equal(table.pending, 0);
}

static void later_stretches_go_on_waiting(void **state)
{
	hold(7, 1, 0);
	hold(8, 1, 0);
	end(7, 42);
	ASSERT_OWNERS(42);
	assert_int_equal(table.pending, 1);
	end(8, 43);
	ASSERT_OWNERS(42, 43);
}

static void a_stretch_whose_end_was_lost_is_nobodys(void **state)
{
	hold(5, 1, 0);
	hold(6, 1, 0);
	hold(9, 1, 0);
	end(9, 42);
	ASSERT_OWNERS(0, 0, 42);
}

static void an_end_that_nobody_waits_for_is_nothing(void **state)
{
	end(3, 42);
	hold(7, 1, 0);
	end(6, 42);
	assert_int_equal(settled_count, 0);
	assert_int_equal(table.pending, 1);
}

static void the_queue_can_be_used_again_after_it_was_empty(void **state)
{
	for (uint64_t i = 1; i < 20; i++) {
		hold(i, 1, 0);
		end(i, (uint32_t)i);
		assert_int_equal(owners[i - 1], i);
	}
	assert_null(queue.first);
	assert_null(queue.last);
}

static void what_waited_too_long_is_nobodys_and_younger_ones_stay(void **state)
{
	hold(1, 1, 100);
	hold(2, 1, 200);
	stretch_expire(&table, &queue, 250, 150);
	assert_int_equal(settled_count, 0);
	stretch_expire(&table, &queue, 251, 150);
	ASSERT_OWNERS(0);
	end(2, 42);
	ASSERT_OWNERS(0, 42);
}

static void at_the_end_of_a_ring_all_are_nobodys(void **state)
{
	hold(1, 1, 100);
	hold(2, 1, 100);
	stretch_expire(&table, &queue, 100, 0);
	ASSERT_OWNERS(0, 0);
	assert_int_equal(table.pending, 0);
}

static void above_the_bound_samples_are_nobodys_at_once(void **state)
{
	for (uint64_t i = 0; i < STRETCH_PENDING_MAX; i++)
		hold(i, 1, 0);
	assert_int_equal(settled_count, 0);
	assert_int_equal(table.pending, STRETCH_PENDING_MAX);
	hold(STRETCH_PENDING_MAX, 5, 0);
	ASSERT_OWNERS(0);
	assert_int_equal(weights[0], 5);
	end(0, 42);
	ASSERT_OWNERS(0, 42);
	hold(STRETCH_PENDING_MAX, 1, 0);
	assert_int_equal(table.pending, STRETCH_PENDING_MAX);
}

static void numbers_that_go_backwards_wait_for_the_next_end_or_the_time(void **state)
{
	hold(9, 1, 0);
	hold(3, 1, 0);
	end(3, 42);
	assert_int_equal(settled_count, 0);
	end(9, 43);
	ASSERT_OWNERS(43, 0);
}

static void try_ticket(uint64_t ticket, uint64_t trial, uint32_t request, uint64_t now)
{
	struct feed_context owner = {.flags = FEED_CONTEXT_REQUEST, .request = request};

	stretch_try(&table, &queue, ticket, trial, &owner, now);
}

static uint64_t trial_of(uint32_t count)
{
	return (uint64_t)count << FEED_TRIAL_KIND_BITS | 3;
}

static void judge(uint32_t count, bool passed)
{
	if (passed)
		atomic_store(&verdicts[3].passed, count);
	atomic_store(&verdicts[3].over, count);
	stretch_judge(&table, &queue, verdicts);
}

static void what_was_told_on_trial_waits_for_the_verdict(void **state)
{
	for (uint64_t i = 1; i <= 5; i++) {
		hold(i, i, 0);
		stretch_defer(&table, &queue, i, i);
		try_ticket(i, trial_of(i == 1 ? 1 : i == 5 ? 3 : 2), (uint32_t)(40 + i), 0);
	}
	stretch_judge(&table, &queue, verdicts);
	assert_int_equal(settled_count, 0);
	judge(1, false);
	ASSERT_OWNERS(0);
	judge(2, true);
	ASSERT_OWNERS(0, 42, 43, 44);
	/* The same again is nothing to those that are left, nor another kind's. */
	judge(2, true);
	atomic_store(&verdicts[4].passed, 3);
	atomic_store(&verdicts[4].over, 9);
	stretch_judge(&table, &queue, verdicts);
	assert_int_equal(table.tried, 1);
	judge(3, true);
	ASSERT_OWNERS(0, 42, 43, 44, 45);
	assert_int_equal(table.tried, 0);
}

static void a_verdict_holds_for_all_of_the_processs_threads_and_for_tickets_that_come_later(void **state)
{
	struct feed_context owner = {.flags = FEED_CONTEXT_REQUEST, .request = 42};
	struct stretches idle = {0};

	stretch_hold(&table, &idle, 7, stack_new(no_frames, 0, true), 1, 0);
	stretch_defer(&table, &idle, 7, 1);
	stretch_try(&table, &idle, 1, trial_of(1), &owner, 0);
	judge(1, true);
	stretch_judge(&table, &idle, verdicts);
	ASSERT_OWNERS(42);
	/* Told before the verdict, read after it; that the next was given up since is no matter. */
	hold(8, 1, 0);
	stretch_defer(&table, &queue, 8, 2);
	try_ticket(2, trial_of(1), 43, 0);
	judge(2, false);
	ASSERT_OWNERS(42, 43);
	assert_int_equal(table.tried, 0);
}

static void what_ended_threads_left_on_trial_waits_on_apart(void **state)
{
	struct feed_context owner = {.flags = FEED_CONTEXT_REQUEST, .request = 44};
	struct stretches left = {0}, another = {0};

	/* Tickets are each thread's own numbers. */
	hold(7, 1, 0);
	hold(8, 1, 0);
	hold(9, 1, 0);
	stretch_defer(&table, &queue, 7, 1);
	stretch_defer(&table, &queue, 8, 2);
	try_ticket(1, trial_of(1), 42, 0);
	try_ticket(2, trial_of(2), 43, 0);
	stretch_hold(&table, &another, 7, stack_new(no_frames, 0, true), 1, 0);
	stretch_hold(&table, &another, 8, stack_new(no_frames, 0, true), 1, 0);
	stretch_defer(&table, &another, 7, 1);
	stretch_defer(&table, &another, 8, 5);
	stretch_try(&table, &another, 1, trial_of(1), &owner, 0);
	stretch_bequeath(&table, &queue, &left);
	stretch_bequeath(&table, &another, &left);
	ASSERT_OWNERS(0, 0);
	atomic_store(&verdicts[3].passed, 1);
	stretch_judge(&table, &left, verdicts);
	ASSERT_OWNERS(0, 0, 42, 44);
	stretch_expire(&table, &left, 251, 150);
	ASSERT_OWNERS(0, 0, 42, 44, 0);
	assert_int_equal(table.tried, 0);
	assert_int_equal(table.pending, 0);
}

static void a_trial_that_is_followed_by_others_is_over(void **state)
{
	hold(7, 1, 0);
	stretch_defer(&table, &queue, 7, 1);
	try_ticket(1, trial_of(1), 42, 0);
	judge(3, true);
	ASSERT_OWNERS(0);
	assert_int_equal(table.tried, 0);
}

static void a_verdict_that_never_comes_leaves_nothing(void **state)
{
	hold(1, 1, 10);
	stretch_defer(&table, &queue, 1, 1);
	try_ticket(1, trial_of(1), 41, 20);
	stretch_expire(&table, &queue, 25, 12);
	ASSERT_OWNERS(0);
	assert_int_equal(table.tried, 1);
	stretch_expire(&table, &queue, 33, 12);
	assert_int_equal(table.tried, 0);
	judge(1, true);
	assert_int_equal(settled_count, 1);
}

static void above_the_bound_tickets_on_trial_are_nobodys_at_once(void **state)
{
	for (uint64_t i = 1; i <= STRETCH_TRIED_MAX; i++)
		try_ticket(i, 3, 41, 0);
	hold(1, 1, 0);
	stretch_defer(&table, &queue, 1, STRETCH_TRIED_MAX + 1);
	try_ticket(STRETCH_TRIED_MAX + 1, 3, 41, 0);
	ASSERT_OWNERS(0);
	assert_int_equal(table.tried, STRETCH_TRIED_MAX);
}

static void rings_do_not_settle_each_others_samples(void **state)
{
	struct stretches second = {0};

	hold(7, 1, 0);
	stretch_hold(&table, &second, 7, stack_new(no_frames, 0, true), 1, 0);
	end(7, 42);
	ASSERT_OWNERS(42);
	assert_int_equal(table.pending, 1);
	stretch_expire(&table, &second, 0, 0);
	ASSERT_OWNERS(42, 0);
}

static void a_tickets_samples_wait_on_and_are_told_together(void **state)
{
	struct feed_context owner = {.flags = FEED_CONTEXT_REQUEST, .request = 42};

	hold(7, 1, 0);
	hold(8, 2, 0);
	hold(9, 4, 0);
	stretch_defer(&table, &queue, 7, 1);
	stretch_defer(&table, &queue, 8, 2);
	stretch_defer(&table, &queue, 9, 1);
	end(10, 5);
	assert_int_equal(settled_count, 0);
	stretch_settle(&table, &queue, 1, &owner);
	ASSERT_OWNERS(42, 42);
	assert_int_equal(weights[1], 4);
	stretch_settle(&table, &queue, 1, &owner);
	stretch_settle(&table, &queue, 2, &owner);
	ASSERT_OWNERS(42, 42, 42);
	assert_int_equal(table.pending, 0);
}

static void a_stretch_whose_end_was_lost_goes_on_no_ticket(void **state)
{
	hold(7, 1, 0);
	hold(9, 1, 0);
	stretch_defer(&table, &queue, 9, 1);
	ASSERT_OWNERS(0);
}

static void a_ticket_that_nobody_tells_expires(void **state)
{
	hold(7, 1, 100);
	stretch_defer(&table, &queue, 7, 1);
	stretch_expire(&table, &queue, 250, 150);
	assert_int_equal(settled_count, 0);
	stretch_expire(&table, &queue, 251, 150);
	ASSERT_OWNERS(0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_stretchs_samples_get_its_owner_and_keep_their_weight),
	    TEST(later_stretches_go_on_waiting),
	    TEST(a_stretch_whose_end_was_lost_is_nobodys),
	    TEST(an_end_that_nobody_waits_for_is_nothing),
	    TEST(the_queue_can_be_used_again_after_it_was_empty),
	    TEST(what_waited_too_long_is_nobodys_and_younger_ones_stay),
	    TEST(at_the_end_of_a_ring_all_are_nobodys),
	    TEST(above_the_bound_samples_are_nobodys_at_once),
	    TEST(numbers_that_go_backwards_wait_for_the_next_end_or_the_time),
	    TEST(a_tickets_samples_wait_on_and_are_told_together),
	    TEST(a_stretch_whose_end_was_lost_goes_on_no_ticket),
	    TEST(a_ticket_that_nobody_tells_expires),
	    TEST(what_was_told_on_trial_waits_for_the_verdict),
	    TEST(a_verdict_holds_for_all_of_the_processs_threads_and_for_tickets_that_come_later),
	    TEST(what_ended_threads_left_on_trial_waits_on_apart),
	    TEST(a_trial_that_is_followed_by_others_is_over),
	    TEST(a_verdict_that_never_comes_leaves_nothing),
	    TEST(above_the_bound_tickets_on_trial_are_nobodys_at_once),
	    TEST(rings_do_not_settle_each_others_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
