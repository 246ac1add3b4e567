/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/drain.c over rings written by hand: whatever a host puts there, what comes out has been
 * bounded, what is good beside it arrives, and rings and slots come free again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "agent/drain.h"
#include "test/unit/region_fixture.h"

#define RING_SIZE FIXTURE_RING_SIZE
#define GOOD 0x600d

static struct fixture f;
static struct client *c;
static struct feed_ring *control;
static uint8_t *data;
static uint64_t head; /* of the ring, ours */
static unsigned samples, ends, closed, good;
static uint64_t bad_before;
static volatile uint64_t read_all; /* every byte that a sample says it has was looked at */

static void take_sample(void *arg, const struct drained_sample *s, struct ring_reader *reader)
{
	uint64_t sum = 0;

	assert_ptr_equal(s->client, c);
	assert_ptr_equal(s->process, c->processes[f.slot]);
	assert_true(s->weight >= 1 && s->frame_count <= FEED_FRAMES_MAX);
	assert_true(s->stack_length <= FEED_STACK_MAX);
	assert_true(!s->regs == !(s->flags & FEED_SAMPLE_STACK));
	for (uint32_t i = 0; i < s->frame_count; i++)
		sum += s->frames[i];
	for (uint32_t i = 0; s->regs && i < FEED_REGS; i++)
		sum += s->regs[i];
	for (uint32_t i = 0; s->regs && i < s->stack_length; i++)
		sum += s->stack[i];
	read_all = sum;
	samples++;
}

static void take_end(void *arg, const struct feed_stretch *end, struct ring_reader *reader)
{
	ends++;
	good += end->stretch == GOOD && end->context.request == GOOD;
}

static void take_closed(void *arg, struct process *process, struct ring_reader *reader)
{
	closed++;
}

static const struct drain_sink sink = {NULL, take_sample, take_end, take_closed, NULL, NULL};

static uint64_t drain(void)
{
	samples = ends = closed = good = 0;
	bad_before = drain_malformed();
	return drain_client(c, &sink, 1);
}

static uint64_t bad(void)
{
	return drain_malformed() - bad_before;
}

static int setup(void **state)
{
	fixture_init(&f, 2);
	c = fixture_client(&f);
	control = region_claim_ring(&f.region, f.slot, f.session, 1, &data);
	head = 0;
	return client_update(c, 1) == 1 ? 0 : -1;
}

static int teardown(void **state)
{
	client_free(c);
	fixture_release(&f);
	return 0;
}

static void publish(void)
{
	atomic_store(&control->head, head);
}

/* The bytes, wherever the head is; they must not wrap. */
static void put(const void *bytes, uint32_t n)
{
	memcpy(data + head % RING_SIZE, bytes, n);
	head += n;
}

static void put_good(void)
{
	struct feed_stretch s = {{sizeof(s), FEED_STRETCH, 0}, GOOD, 0, {.request = GOOD}, 0};

	put(&s, sizeof(s));
}

static struct feed_sample sample(uint32_t size, uint16_t flags, uint32_t frames, uint32_t stack)
{
	return (struct feed_sample){.record = {size, FEED_SAMPLE, flags},
				    .weight = 1,
				    .frame_count = frames,
				    .stack_length = stack};
}

static void put_sample(struct feed_sample s)
{
	memset(data + head % RING_SIZE, 0xab, s.record.size);
	memcpy(data + head % RING_SIZE, &s, s.record.size < sizeof(s) ? s.record.size : sizeof(s));
	head += s.record.size;
}

static void start_over(void)
{
	head = (head / RING_SIZE + 2) * RING_SIZE;
	publish();
	drain();
}

static void samples_of_every_length_are_bounded_and_skipped(void **state)
{
	static const uint32_t counts[] = {0,	     1, 2, 17, 1024, 1025, 1 << 29, (1 << 29) + 1,
					  UINT32_MAX};
	static const uint16_t flags[] = {0, FEED_SAMPLE_STACK, 0xffff};
	unsigned taken = 0;

	for (uint32_t size = 8; size <= sizeof(struct feed_sample) + 512; size += 8) {
		for (int i = 0; i < 9 * 9 * 3; i++) {
			uint32_t frames = counts[i % 9], stack = counts[i / 9 % 9];
			uint16_t flag = flags[i / 81];
			uint64_t need = sizeof(struct feed_sample) + 8ULL * frames;
			bool expected;

			if (flag & FEED_SAMPLE_STACK)
				need += FEED_REGS * 8 + (uint64_t)stack;
			expected = need <= size && frames <= FEED_FRAMES_MAX;
			if (head % RING_SIZE > RING_SIZE - 2048)
				start_over();
			put_sample(sample(size, flag, frames, stack));
			put_good();
			publish();
			assert_int_equal(drain(), 2);
			assert_int_equal(samples, expected);
			assert_int_equal(bad(), !expected);
			assert_int_equal(good, 1);
			taken += samples;
		}
	}
	assert_true(taken > 500);
}

static void the_longest_sample_is_taken_and_a_longer_record_is_not(void **state)
{
	struct feed_sample s = sample(RING_SIZE / 2, FEED_SAMPLE_STACK, 3, 0);

	s.stack_length = RING_SIZE / 2 - sizeof(s) - 3 * 8 - FEED_REGS * 8;
	put_sample(s);
	put_good();
	publish();
	drain();
	assert_int_equal(samples, 1);
	assert_int_equal(good, 1);
}

static void a_weight_of_none_and_kinds_unknown_are_malformed(void **state)
{
	struct feed_sample s = sample(sizeof(s), 0, 0, 0);
	struct feed_record unknown = {sizeof(unknown), 0, 0};

	s.weight = 0;
	put_sample(s);
	for (uint16_t kind = 0; kind < 100; kind++) {
		unknown.kind = kind == FEED_PAD ? 4711 : kind;
		put(&unknown, sizeof(unknown));
	}
	put_good();
	publish();
	assert_int_equal(drain(), 102);
	assert_int_equal(bad(), 101);
	assert_int_equal(good, 1);
	assert_int_equal(samples, 0);
}

static void sizes_that_cannot_be_end_the_batch_and_the_next_is_read(void **state)
{
	static const uint32_t sizes[] = {0,
					 1,
					 4,
					 7,
					 9,
					 12,
					 1 << 13,
					 RING_SIZE,
					 RING_SIZE + 8,
					 0x80000000,
					 UINT32_MAX - 7,
					 UINT32_MAX};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (uint16_t kind = FEED_PAD; kind <= FEED_TICKET; kind++) {
			struct feed_record record = {sizes[i], kind, 0};

			start_over();
			put_good();
			put(&record, sizeof(record));
			put_good();
			publish();
			drain();
			assert_int_equal(good, 1);
			assert_int_equal(bad(), 1);
			assert_int_equal(control->tail, head);
			put_good();
			publish();
			drain();
			assert_int_equal(good, 1);
			assert_int_equal(bad(), 0);
		}
	}
}

static void heads_that_cannot_be_are_skipped_to(void **state)
{
	static const uint64_t heads[] = {RING_SIZE + 8, 1ULL << 40, 1ULL << 63, 0ULL - RING_SIZE};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		head = heads[i];
		publish();
		drain();
		assert_int_equal(samples + ends, 0);
		assert_int_equal(bad(), 1);
		assert_int_equal(control->tail, head);
		/* A head that wraps around all numbers is still a head. */
		put_good();
		publish();
		drain();
		assert_int_equal(good, 1);
	}
}

static void a_head_within_a_word_moves_nothing(void **state)
{
	for (uint64_t i = 1; i < 8; i++) {
		start_over();
		put_good();
		atomic_store(&control->head, head + i);
		drain();
		assert_int_equal(ends, 0);
		assert_int_equal(bad(), 1);
		assert_int_equal(control->tail % 8, 0);
	}
}

static void a_record_that_would_wrap_is_malformed(void **state)
{
	for (uint16_t kind = FEED_PAD; kind <= FEED_TICKET; kind++) {
		struct feed_record pad = {RING_SIZE - 16, FEED_PAD, 0};
		struct feed_record record = {sizeof(struct feed_stretch), kind, 0};

		start_over();
		put(&pad, sizeof(pad));
		head += pad.size - sizeof(pad);
		publish();
		assert_int_equal(drain(), 1);
		put(&record, sizeof(record));
		head += record.size - sizeof(record);
		publish();
		assert_int_equal(drain(), 1);
		assert_int_equal(bad(), 1);
		assert_int_equal(samples + ends, 0);
	}
}

static void pads_are_skipped_at_the_end_and_everywhere(void **state)
{
	for (uint32_t left = 8; left <= 64; left += 8) {
		struct feed_record pad = {RING_SIZE - left - sizeof(struct feed_stretch), FEED_PAD,
					  0};

		start_over();
		put_good();
		put(&pad, sizeof(pad));
		head += pad.size - sizeof(pad);
		pad.size = left;
		put(&pad, sizeof(pad));
		head += left - sizeof(pad);
		assert_int_equal(head % RING_SIZE, 0);
		put_good();
		atomic_store(&control->head, head - sizeof(struct feed_stretch));
		drain();
		assert_int_equal(good, 1);
		publish();
		drain();
		assert_int_equal(good, 1);
		assert_int_equal(bad(), 0);
	}
}

static void claims_in_the_making_and_of_the_unknown_are_left_alone(void **state)
{
	put_good();
	publish();
	control->session = 0;
	assert_int_equal(drain(), 0);
	control->session = f.session + 1;
	assert_int_equal(drain(), 0);
	control->session = f.session;
	control->process = FEED_PROCESSES;
	assert_int_equal(drain(), 0);
	control->process = UINT32_MAX;
	assert_int_equal(drain(), 0);
	assert_int_equal(closed, 0);
	assert_int_equal(control->state, FEED_RING_CLAIMED);
	control->process = f.slot;
	assert_int_equal(drain(), 1);
	assert_int_equal(good, 1);
}

static void a_claim_of_a_process_that_was_forgotten_is_freed(void **state)
{
	put_good();
	publish();
	control->process = 99;
	control->session = 7;
	assert_int_equal(drain(), 0);
	assert_int_equal(closed, 1);
	assert_int_equal(control->state, FEED_RING_FREE);
	assert_int_equal(control->session, 0);
}

static void a_released_ring_is_drained_freed_emptied_and_goes_on(void **state)
{
	struct ring ring = {0};
	uint8_t *again;

	put_good();
	put_good();
	publish();
	atomic_store(&control->state, FEED_RING_RELEASED);
	assert_int_equal(drain(), 2);
	assert_int_equal(good, 2);
	assert_int_equal(closed, 1);
	assert_int_equal(control->state, FEED_RING_FREE);
	assert_int_equal(control->session, 0);
	for (uint64_t i = 0; i < head; i++)
		assert_int_equal(data[i], 0);
	assert_int_equal(drain(), 0);
	assert_int_equal(closed, 0);
	/* The hint has gone on to the other ring. */
	assert_non_null(region_claim_ring(&f.region, f.slot, f.session, 2, &again));
	assert_ptr_equal(region_claim_ring(&f.region, f.slot, f.session, 2, &again), control);
	ring_init(&ring, control, again, RING_SIZE, f.session);
	assert_true(fixture_stretch(&ring, GOOD, &(struct feed_context){.request = GOOD}));
	assert_int_equal(drain(), 1);
	assert_int_equal(good, 1);
	assert_int_equal(bad(), 0);
}

static void what_an_ended_process_left_is_taken_and_its_place_freed(void **state)
{
	uint32_t slot, session;
	struct ring ring = {0};
	struct feed_ring *theirs;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_true(region_claim_process(&f.region, pid, 0, &slot, &session));
	theirs = region_claim_ring(&f.region, slot, session, pid, &data);
	ring_init(&ring, theirs, data, RING_SIZE, session);
	assert_true(fixture_stretch(&ring, GOOD, &(struct feed_context){.request = GOOD}));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(client_update(c, 1), 1);
	assert_int_equal(c->process_count, 2);
	assert_int_equal(drain(), 1);
	assert_int_equal(good, 1);
	assert_int_equal(closed, 1);
	assert_int_equal(theirs->state, FEED_RING_FREE);
	assert_int_equal(f.region.processes[slot].state, FEED_PROCESS_FREE);
	assert_int_equal(c->process_count, 1);
}

static void a_ring_that_never_ends_does_not_hold_the_agent_for_ever(void **state)
{
	struct feed_record record = {sizeof(record), FEED_PAD, 0};

	for (uint32_t at = 0; at < RING_SIZE; at += sizeof(record))
		memcpy(data + at, &record, sizeof(record));
	head = RING_SIZE;
	publish();
	assert_int_equal(drain(), RING_SIZE / sizeof(record));
	assert_int_equal(drain(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(samples_of_every_length_are_bounded_and_skipped),
	    TEST(the_longest_sample_is_taken_and_a_longer_record_is_not),
	    TEST(a_weight_of_none_and_kinds_unknown_are_malformed),
	    TEST(sizes_that_cannot_be_end_the_batch_and_the_next_is_read),
	    TEST(heads_that_cannot_be_are_skipped_to),
	    TEST(a_head_within_a_word_moves_nothing),
	    TEST(a_record_that_would_wrap_is_malformed),
	    TEST(pads_are_skipped_at_the_end_and_everywhere),
	    TEST(claims_in_the_making_and_of_the_unknown_are_left_alone),
	    TEST(a_claim_of_a_process_that_was_forgotten_is_freed),
	    TEST(a_released_ring_is_drained_freed_emptied_and_goes_on),
	    TEST(what_an_ended_process_left_is_taken_and_its_place_freed),
	    TEST(a_ring_that_never_ends_does_not_hold_the_agent_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
