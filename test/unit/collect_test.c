/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/collect.c, from a ring to the aggregate: this process is the host, and its frames are in
 * its own program. What comes out is asked for by owner.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/collect.h"
#include "test/unit/region_fixture.h"

#define PERIOD_NS 10000000ULL
#define NSEC_PER_SEC 1000000000ULL

static struct fixture f;
static struct client *client;
static struct collect *collect;
static struct ring ring;
static uint64_t now;

static int setup(void **state)
{
	fixture_init(&f, 2);
	client = fixture_client(&f);
	collect = collect_new(&(struct feed_config){.period_ns = PERIOD_NS, .max_spans = 5000}, 77);
	fixture_ring(&f, &ring, 1);
	now = 1000 * NSEC_PER_SEC;
	return collect && client_update(client, now) == 1 ? 0 : -1;
}

static int teardown(void **state)
{
	collect_free(collect);
	client_free(client);
	fixture_release(&f);
	return 0;
}

static struct feed_context span(uint8_t id)
{
	struct feed_context context = {0};

	if (!id)
		return context;
	context.flags = FEED_CONTEXT_REQUEST | FEED_CONTEXT_IDS;
	context.request = id;
	memset(context.span_id, id, sizeof(context.span_id));
	memset(context.trace_id, id, sizeof(context.trace_id));
	return context;
}

static void push(uint64_t stretch, bool open, uint8_t id)
{
	struct feed_context context = span(id);
	uint64_t frames[] = {(uintptr_t)setup | FEED_FRAME_EXACT, (uintptr_t)teardown + 1};

	assert_true(
	    fixture_sample(&ring, stretch, open ? FEED_SAMPLE_OPEN : 0, &context, frames, 2));
}

static void push_end(uint64_t stretch, uint8_t id)
{
	struct feed_context owner = span(id);

	assert_true(fixture_stretch(&ring, stretch, &owner));
}

static struct aggregate *take(void)
{
	struct aggregate *a = collect_take(collect, 78);

	assert_non_null(a);
	return a;
}

static uint64_t weight_in(const struct aggregate *a, uint8_t id)
{
	struct feed_context wanted = span(id);
	uint64_t weight = 0;

	for (size_t i = 0; i < aggregate_count(a); i++) {
		const struct entry *e = aggregate_entry(a, i);

		assert_int_equal(e->nanoseconds, e->weight * PERIOD_NS);
		if (memcmp(e->labels.span_id, wanted.span_id, sizeof(wanted.span_id)) == 0)
			weight += e->weight;
	}
	return weight;
}

/* Of what was collected since the last time, whose is how much: nobody, 1, 2, 3. */
static void assert_weights(uint64_t nobody, uint64_t one, uint64_t two, uint64_t three)
{
	struct aggregate *a = take();

	assert_int_equal(weight_in(a, 0), nobody);
	assert_int_equal(weight_in(a, 1), one);
	assert_int_equal(weight_in(a, 2), two);
	assert_int_equal(weight_in(a, 3), three);
	aggregate_free(a);
}

static void samples_that_know_their_owner_are_counted_at_once(void **state)
{
	push(1, false, 1);
	push(1, false, 1);
	push(2, false, 0);
	push(3, false, 2);
	assert_int_equal(collect_client(collect, client, now), 4);
	assert_weights(1, 2, 1, 0);
	assert_int_equal(collect_totals(collect)->samples, 4);
	assert_int_equal(collect_totals(collect)->nanoseconds, 4 * PERIOD_NS);
	assert_int_equal(collect_totals(collect)->spans, 2);
}

/* A sample, whose owner is told under trial 4. */
static void push_tried(void)
{
	struct feed_stretch *s;

	push(1, true, 0);
	for (int i = 0; i < 2; i++) {
		ring_enter(&ring);
		s = ring_reserve(&ring, sizeof(*s));
		assert_non_null(s);
		*s = i ? (struct feed_stretch){{sizeof(*s), FEED_TICKET, 0}, 0, 9, span(1), 4 << FEED_TRIAL_KIND_BITS | 1}
		       : (struct feed_stretch){{sizeof(*s), FEED_STRETCH, 0}, 1, 9, span(0), 0};
		ring_leave(&ring);
	}
}

static void a_verdict_that_any_thread_tells_settles_what_an_idle_one_is_tried_for(void **state)
{
	struct feed_verdict *verdict = &f.region.processes[f.slot].verdicts[1];

	push_tried();
	atomic_store(&verdict->over, 3);
	collect_client(collect, client, now);
	assert_weights(0, 0, 0, 0);
	atomic_store(&verdict->passed, 4);
	collect_client(collect, client, now);
	assert_weights(0, 1, 0, 0);
}

static void a_verdict_settles_what_an_ended_thread_left(void **state)
{
	push_tried();
	ring_release(&ring);
	collect_client(collect, client, now);
	assert_weights(0, 0, 0, 0);
	atomic_store(&f.region.processes[f.slot].verdicts[1].passed, 4);
	collect_client(collect, client, now);
	assert_weights(0, 1, 0, 0);
}

static void frames_are_addresses_in_the_program_leaf_first(void **state)
{
	struct aggregate *a;
	const struct stack *stack;

	push(1, false, 1);
	collect_client(collect, client, now);
	a = take();
	assert_int_equal(aggregate_count(a), 1);
	assert_int_equal(aggregate_start(a), 77);
	stack = aggregate_entry(a, 0)->stack;
	assert_int_equal(stack->count, 2);
	assert_false(stack->truncated);
	assert_true(stack->frames[0].exact);
	assert_false(stack->frames[1].exact);
	assert_string_equal(stack->frames[0].module->name, "collect_test");
	assert_ptr_equal(stack->frames[0].module, stack->frames[1].module);
	assert_int_equal(stack->frames[1].vaddr - stack->frames[0].vaddr,
			 (uintptr_t)teardown + 1 - (uintptr_t)setup);
	assert_ptr_equal(collect_program(collect), stack->frames[0].module);
	aggregate_free(a);
}

static void an_open_sample_waits_for_the_end_of_its_stretch(void **state)
{
	push(1, true, 1);
	push(2, true, 1);
	collect_client(collect, client, now);
	assert_weights(0, 0, 0, 0);
	push_end(1, 2);
	collect_client(collect, client, now);
	assert_weights(0, 0, 1, 0);
	push_end(2, 3);
	collect_client(collect, client, now);
	assert_weights(0, 0, 0, 1);
}

static void the_guess_of_a_sample_whose_end_was_lost_is_not_believed(void **state)
{
	push(1, true, 1);
	push(2, true, 1);
	push_end(2, 2);
	collect_client(collect, client, now);
	assert_weights(1, 0, 1, 0);
}

static void what_waits_too_long_is_nobodys_and_the_rest_goes_on_waiting(void **state)
{
	push(1, true, 1);
	collect_client(collect, client, now);
	now += 15 * NSEC_PER_SEC;
	push(2, true, 1);
	collect_client(collect, client, now);
	now += 6 * NSEC_PER_SEC;
	collect_expire(collect, client, now, STRETCH_HOLD_NS);
	assert_weights(1, 0, 0, 0);
	push_end(2, 3);
	collect_client(collect, client, now);
	assert_weights(0, 0, 0, 1);
}

static void at_the_end_of_an_agent_all_that_waits_is_nobodys(void **state)
{
	push(1, true, 1);
	push(2, true, 1);
	collect_client(collect, client, now);
	collect_expire(collect, client, now, 0);
	assert_weights(2, 0, 0, 0);
}

static void the_end_of_a_thread_settles_what_it_left(void **state)
{
	push(1, true, 1);
	push(2, false, 2);
	ring_release(&ring);
	collect_client(collect, client, now);
	assert_weights(1, 0, 1, 0);
}

static void the_next_thread_in_the_ring_does_not_inherit(void **state)
{
	struct feed_ring *control = ring.control;
	uint8_t *data;

	push(1, true, 1);
	ring_release(&ring);
	collect_client(collect, client, now);
	assert_non_null(region_claim_ring(&f.region, f.slot, f.session, 2, &data));
	assert_ptr_equal(region_claim_ring(&f.region, f.slot, f.session, 2, &data), control);
	ring_init(&ring, control, data, f.region.ring_size, f.session);
	push_end(1, 3);
	push(1, true, 1);
	collect_client(collect, client, now);
	assert_weights(1, 0, 0, 0);
	push_end(1, 2);
	collect_client(collect, client, now);
	assert_weights(0, 0, 1, 0);
}

static void an_interval_takes_along_what_waited_from_the_one_before(void **state)
{
	struct aggregate *first;

	push(1, true, 1);
	collect_client(collect, client, now);
	first = take();
	assert_int_equal(aggregate_count(first), 0);
	aggregate_free(first);
	push_end(1, 1);
	collect_client(collect, client, now);
	first = take();
	assert_int_equal(aggregate_start(first), 78);
	assert_int_equal(weight_in(first, 1), 1);
	aggregate_free(first);
}

static void a_stack_without_a_known_frame_is_kept_and_said_to_be_cut(void **state)
{
	static const uint64_t nowhere[] = {8, 16, UINT64_MAX, FEED_FRAME_EXACT, 0};
	struct feed_context one = span(1);
	struct aggregate *a;

	assert_true(fixture_sample(&ring, 1, 0, &one, nowhere, 5));
	assert_true(fixture_sample(&ring, 1, 0, &one, nowhere, 0));
	collect_client(collect, client, now);
	a = take();
	assert_int_equal(weight_in(a, 1), 2);
	for (size_t i = 0; i < aggregate_count(a); i++)
		assert_int_equal(aggregate_entry(a, i)->stack->count, 0);
	/* The other one never had any: it need not have been cut. */
	assert_true(aggregate_entry(a, 0)->stack->truncated);
	aggregate_free(a);
}

static void a_stack_deeper_than_the_bound_is_cut_and_says_so(void **state)
{
	uint64_t frames[300];
	struct feed_context one = span(1);
	struct aggregate *a;

	for (int i = 0; i < 300; i++)
		frames[i] = (uintptr_t)setup + 1;
	assert_true(fixture_sample(&ring, 1, 0, &one, frames, 300));
	collect_client(collect, client, now);
	a = take();
	assert_int_equal(aggregate_entry(a, 0)->stack->count, 128);
	assert_true(aggregate_entry(a, 0)->stack->truncated);
	aggregate_free(a);
}

static void registers_and_a_stack_that_make_no_sense_give_a_cut_stack(void **state)
{
	uint32_t size = sizeof(struct feed_sample) + FEED_REGS * 8 + 64;
	struct feed_sample *s = ring_reserve(&ring, size);
	struct aggregate *a;

	memset(s, 0xff, size);
	*s = (struct feed_sample){.record = {size, FEED_SAMPLE, FEED_SAMPLE_STACK},
				  .weight = 7,
				  .context = span(2),
				  .stack_length = 64,
				  .stack_address = UINT64_MAX - 8};
	ring_commit(&ring);
	collect_client(collect, client, now);
	a = take();
	assert_int_equal(weight_in(a, 2), 7);
	assert_true(aggregate_entry(a, 0)->stack->truncated);
	aggregate_free(a);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(samples_that_know_their_owner_are_counted_at_once),
	    TEST(a_verdict_that_any_thread_tells_settles_what_an_idle_one_is_tried_for),
	    TEST(a_verdict_settles_what_an_ended_thread_left),
	    TEST(frames_are_addresses_in_the_program_leaf_first),
	    TEST(an_open_sample_waits_for_the_end_of_its_stretch),
	    TEST(the_guess_of_a_sample_whose_end_was_lost_is_not_believed),
	    TEST(what_waits_too_long_is_nobodys_and_the_rest_goes_on_waiting),
	    TEST(at_the_end_of_an_agent_all_that_waits_is_nobodys),
	    TEST(the_end_of_a_thread_settles_what_it_left),
	    TEST(the_next_thread_in_the_ring_does_not_inherit),
	    TEST(an_interval_takes_along_what_waited_from_the_one_before),
	    TEST(a_stack_without_a_known_frame_is_kept_and_said_to_be_cut),
	    TEST(a_stack_deeper_than_the_bound_is_cut_and_says_so),
	    TEST(registers_and_a_stack_that_make_no_sense_give_a_cut_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
