/* SPDX-License-Identifier: Apache-2.0 */
/* agent/aggregate.c: equal stacks are one, values add up, bounds hold, references come out even. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/aggregate.h"

static struct aggregate *a;
static const struct frame no_frames[1];
/* More than any test has, where it is not about them. */
static const struct aggregate_options options = {.spans_max = SIZE_MAX};
static const uint8_t no_ids[16];

static int setup(void **state)
{
	a = aggregate_new(1234, &options);
	return a ? 0 : -1;
}

static int teardown(void **state)
{
	aggregate_free(a);
	return 0;
}

/* Modules are compared by address and never looked into. */
static struct frame frame(uintptr_t module, uint64_t vaddr, bool exact)
{
	return (struct frame){(struct module *)(module << 8), vaddr, exact};
}

static struct stack *stack_of(uint64_t vaddr)
{
	struct frame frames[] = {frame(1, vaddr, true), frame(1, 0x2000, false),
				 frame(2, 0x3000, false)};
	struct stack *stack = stack_new(frames, 3, false);

	assert_non_null(stack);
	return stack;
}

static struct feed_context context_of(uint64_t span)
{
	struct feed_context context = {.flags = FEED_CONTEXT_REQUEST | FEED_CONTEXT_IDS,
				       .request = (uint32_t)span};

	memcpy(context.span_id, &span, sizeof(span));
	memset(context.trace_id, 7, sizeof(context.trace_id));
	return context;
}

/* As collect.c does: the reference is ours and given up. */
static void add(struct stack *stack, uint64_t span, uint64_t weight)
{
	struct feed_context context = span ? context_of(span) : (struct feed_context){0};

	aggregate_add(a, stack, &context, weight, weight * 10);
	stack_put(stack);
}

static void equal_stacks_of_different_objects_are_one_entry(void **state)
{
	add(stack_of(0x1000), 5, 1);
	add(stack_of(0x1000), 5, 2);
	assert_int_equal(aggregate_count(a), 1);
	assert_int_equal(aggregate_entry(a, 0)->weight, 3);
	assert_int_equal(aggregate_entry(a, 0)->nanoseconds, 30);
	assert_int_equal(aggregate_entry(a, 0)->stack->references, 1);
	assert_int_equal(aggregate_start(a), 1234);
}

static void whatever_differs_is_another_entry(void **state)
{
	struct frame frames[] = {frame(1, 0x1000, true), frame(1, 0x2000, false),
				 frame(2, 0x3000, false)};

	add(stack_new(frames, 3, false), 5, 1);
	add(stack_new(frames, 2, false), 5, 1);
	add(stack_new(frames, 3, true), 5, 1);
	add(stack_new(frames, 3, false), 6, 1);
	add(stack_new(frames, 3, false), 0, 1);
	frames[2].exact = true;
	add(stack_new(frames, 3, false), 5, 1);
	frames[2] = frame(3, 0x3000, false);
	add(stack_new(frames, 3, false), 5, 1);
	frames[2] = frame(2, 0x3001, false);
	add(stack_new(frames, 3, false), 5, 1);
	assert_int_equal(aggregate_count(a), 8);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(aggregate_entry(a, i)->weight, 1);
}

static void a_trace_id_alone_makes_a_difference(void **state)
{
	struct feed_context one = context_of(5), two = context_of(5);
	struct stack *stack = stack_of(0x1000);

	two.trace_id[15] ^= 1;
	aggregate_add(a, stack, &one, 1, 1);
	aggregate_add(a, stack, &two, 1, 1);
	stack_put(stack);
	assert_int_equal(aggregate_count(a), 2);
}

static void requests_without_ids_are_all_the_same(void **state)
{
	struct feed_context one = {.flags = FEED_CONTEXT_REQUEST, .request = 1};
	struct feed_context two = {.flags = FEED_CONTEXT_REQUEST, .request = 2};
	struct feed_context traced = context_of(5);
	struct stack *stack = stack_of(0x1000);

	/* What lies in the fields that no flag vouches for means nothing. */
	memset(two.trace_id, 9, sizeof(two.trace_id));
	aggregate_add(a, stack, &one, 1, 1);
	aggregate_add(a, stack, &two, 1, 1);
	aggregate_add(a, stack, &(struct feed_context){0}, 1, 1);
	assert_int_equal(aggregate_count(a), 1);
	assert_int_equal(aggregate_entry(a, 0)->weight, 3);
	assert_memory_equal(aggregate_entry(a, 0)->labels.trace_id, no_ids, 16);
	aggregate_add(a, stack, &traced, 1, 1);
	traced.request++;
	aggregate_add(a, stack, &traced, 1, 1);
	assert_int_equal(aggregate_count(a), 2);
	stack_put(stack);
}

static void growing_loses_and_doubles_nothing(void **state)
{
	enum { ENTRIES = 5000 };

	for (int round = 1; round <= 2; round++)
		for (uint64_t i = 0; i < ENTRIES; i++)
			add(stack_of(0x1000 + i % 100), 1 + i, i + 1);
	assert_int_equal(aggregate_count(a), ENTRIES);
	for (uint64_t i = 0; i < ENTRIES; i++) {
		const struct entry *e = aggregate_entry(a, i);
		uint64_t span;

		memcpy(&span, e->labels.span_id, sizeof(span));
		assert_int_equal(span, i + 1);
		assert_int_equal(e->stack->frames[0].vaddr, 0x1000 + i % 100);
		assert_int_equal(e->weight, 2 * (i + 1));
	}
	assert_memory_equal(aggregate_folded(a), &(struct aggregate_folded){0},
			    sizeof(struct aggregate_folded));
}

static void a_stack_is_shared_by_its_entries_and_freed_with_the_last(void **state)
{
	struct stack *stack = stack_of(0x1000);

	for (uint64_t span = 1; span <= 10; span++) {
		struct feed_context context = context_of(span);

		aggregate_add(a, stack, &context, 1, 1);
	}
	assert_int_equal(stack->references, 2);
	aggregate_free(a);
	assert_int_equal(stack->references, 1);
	stack_put(stack);
	stack_put(NULL);
	a = NULL;
}

static void above_the_bound_new_ids_fold_and_known_ones_do_not(void **state)
{
	struct stack *stack = stack_of(0x1000);
	struct feed_context context;

	for (uint64_t span = 1; span <= AGGREGATE_ENTRIES_MAX; span++) {
		context = context_of(span);
		aggregate_add(a, stack, &context, 1, 1);
	}
	assert_int_equal(aggregate_count(a), AGGREGATE_ENTRIES_MAX);
	assert_int_equal(aggregate_folded(a)->ids, 0);
	for (uint64_t i = 1; i <= 1000; i++) {
		context = context_of(AGGREGATE_ENTRIES_MAX + i);
		aggregate_add(a, stack, &context, 3, 3);
	}
	assert_int_equal(aggregate_count(a), AGGREGATE_ENTRIES_MAX + 1);
	assert_int_equal(aggregate_folded(a)->ids, 3000);
	assert_int_equal(aggregate_entry(a, AGGREGATE_ENTRIES_MAX)->weight, 3000);
	assert_memory_equal(aggregate_entry(a, AGGREGATE_ENTRIES_MAX)->labels.trace_id, no_ids, 16);
	context = context_of(17);
	aggregate_add(a, stack, &context, 4, 4);
	assert_int_equal(aggregate_folded(a)->ids, 3000);
	assert_int_equal(aggregate_entry(a, 16)->weight, 5);
	stack_put(stack);
}

static void an_empty_stack_is_a_stack(void **state)
{
	add(stack_new(no_frames, 0, true), 0, 1);
	add(stack_new(no_frames, 0, true), 0, 1);
	add(stack_new(no_frames, 0, false), 0, 1);
	assert_int_equal(aggregate_count(a), 2);
}

/* Named tests have an aggregate of their own. */
static struct aggregate *again(const struct aggregate_options *with)
{
	aggregate_free(a);
	a = aggregate_new(1234, with);
	assert_non_null(a);
	return a;
}

static void above_their_bound_spans_keep_their_trace(void **state)
{
	struct stack *stack = stack_of(0x1000);
	const struct entry *e;

	again(&(struct aggregate_options){.spans_max = 3});
	for (int round = 0; round < 2; round++)
		for (uint64_t span = 1; span <= 5; span++) {
			struct feed_context context = context_of(span);

			aggregate_add(a, stack, &context, 1, 10);
		}
	stack_put(stack);
	/* Three, and one for the trace that all are of. */
	assert_int_equal(aggregate_count(a), 4);
	assert_int_equal(aggregate_folded(a)->spans, 4);
	assert_int_equal(aggregate_folded(a)->ids, 0);
	e = aggregate_entry(a, 3);
	assert_int_equal(e->weight, 4);
	assert_memory_equal(e->labels.span_id, no_ids, 8);
	assert_int_equal(e->labels.trace_id[0], 7);
}

static void add_path(struct stack *stack, uint64_t span, const char *method, const char *path,
		     uint64_t weight)
{
	struct feed_context context = span ? context_of(span)
					   : (struct feed_context){.flags = FEED_CONTEXT_REQUEST};

	strcpy(context.method, method);
	strcpy(context.target, path);
	aggregate_add(a, stack, &context, weight, weight * 10);
}

static void requests_are_named_traced_or_not(void **state)
{
	struct stack *stack = stack_of(0x1000);
	struct feed_context nobody = {.method = "GET", .target = "/stale"};

	add_path(stack, 0, "GET", "/users/1", 1);
	add_path(stack, 0, "GET", "/users/2", 1);
	add_path(stack, 5, "GET", "/users/2", 1);
	add_path(stack, 0, "", "", 1);
	/* Without a flag the fields mean nothing. */
	aggregate_add(a, stack, &nobody, 1, 10);
	stack_put(stack);
	assert_int_equal(aggregate_count(a), 3);
	assert_string_equal(aggregate_name(a, aggregate_entry(a, 0)), "GET /users/{}");
	assert_int_equal(aggregate_entry(a, 0)->weight, 2);
	assert_string_equal(aggregate_name(a, aggregate_entry(a, 1)), "GET /users/{}");
	assert_null(aggregate_name(a, aggregate_entry(a, 2)));
	assert_int_equal(aggregate_entry(a, 2)->weight, 2);
}

static void names_are_as_long_as_was_asked_for(void **state)
{
	struct stack *stack = stack_of(0x1000);

	again(&(struct aggregate_options){.names = FEED_NAMES_METHOD});
	add_path(stack, 0, "GET", "/users", 1);
	assert_string_equal(aggregate_name(a, aggregate_entry(a, 0)), "GET");
	again(&(struct aggregate_options){.names = FEED_NAMES_OFF});
	add_path(stack, 0, "GET", "/users", 1);
	assert_null(aggregate_name(a, aggregate_entry(a, 0)));
	stack_put(stack);
}

static void what_a_folded_name_makes_equal_is_summed(void **state)
{
	struct series *series = series_new();
	struct stack *stack = stack_of(0x1000), *other = stack_of(0x2000);
	char path[FEED_TARGET_SIZE];
	uint64_t weight = 0, methods = 0;

	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/p%c%c", 'a' + i % 26, 'a' + i / 26);
		add_path(stack, 0, "GET", path, i < 200 ? 2 : 1);
		add_path(other, 9, "GET", path, i < 200 ? 2 : 1);
	}
	assert_int_equal(aggregate_count(a), 600);
	aggregate_choose_names(a, series, 1);
	assert_int_equal(aggregate_count(a), 402);
	assert_int_equal(aggregate_folded(a)->names, 200);
	for (size_t i = 0; i < aggregate_count(a); i++) {
		const struct entry *e = aggregate_entry(a, i);

		weight += e->weight;
		assert_int_equal(e->nanoseconds, 10 * e->weight);
		if (strcmp(aggregate_name(a, e), "GET") == 0)
			methods += e->weight;
	}
	assert_int_equal(weight, 1000);
	assert_int_equal(methods, 200);
	/* The table still finds what it holds. */
	add_path(stack, 0, "GET", "/paa", 1);
	assert_int_equal(aggregate_count(a), 402);
	stack_put(stack);
	stack_put(other);
	series_free(series);
}

static void stacks_that_find_no_room_keep_their_time_and_labels(void **state)
{
	static struct frame frames[1000];
	uint64_t weight = 0;

	for (uint64_t i = 0; i < 4000; i++) {
		frames[0] = frame(1, 0x1000 + i, true);
		add(stack_new(frames, 1000, false), 7, 1);
	}
	assert_in_range(aggregate_folded(a)->stacks, 1000, 1500);
	assert_int_equal(aggregate_folded(a)->samples, 0);
	for (size_t i = 0; i < aggregate_count(a); i++) {
		const struct entry *e = aggregate_entry(a, i);

		weight += e->weight;
		if (e->stack->count == 0)
			assert_int_equal(e->weight, aggregate_folded(a)->stacks);
		assert_int_equal(e->labels.trace_id[0], 7);
	}
	assert_int_equal(weight, 4000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(equal_stacks_of_different_objects_are_one_entry),
	    TEST(whatever_differs_is_another_entry),
	    TEST(a_trace_id_alone_makes_a_difference),
	    TEST(requests_without_ids_are_all_the_same),
	    TEST(growing_loses_and_doubles_nothing),
	    TEST(a_stack_is_shared_by_its_entries_and_freed_with_the_last),
	    TEST(above_the_bound_new_ids_fold_and_known_ones_do_not),
	    TEST(an_empty_stack_is_a_stack),
	    TEST(above_their_bound_spans_keep_their_trace),
	    TEST(requests_are_named_traced_or_not),
	    TEST(names_are_as_long_as_was_asked_for),
	    TEST(what_a_folded_name_makes_equal_is_summed),
	    TEST(stacks_that_find_no_room_keep_their_time_and_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
