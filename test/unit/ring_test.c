/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/ring.c step by step: each of its atomic operations is a place where the handler may come,
 * and where the agent may look. ring_threads_test.c has real threads and real signals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "shim/ring.h"

#define SIZE 256U
#define HANDLER_MAX 64U
#define HANDLER_SIZE 24U
#define MARK 0x5a5aa5a5c3c33c3cULL

struct item {
	struct feed_record record;
	uint64_t serial, check; /* check is serial ^ MARK once all is written */
};

static struct feed_ring shared;
static _Alignas(64) uint8_t bytes[SIZE];
static struct ring thread_ring;
static uint64_t last_head, next_serial;
static uint64_t order[16]; /* serials as they were reserved */
static unsigned ordered, steps, interrupt_at[2];
static bool in_handler, agent_looks;

/* What the agent does, without consuming: whatever head covers must be whole. */
static unsigned look(uint64_t *serials)
{
	uint64_t at = atomic_load(&shared.tail), head = atomic_load(&shared.head);
	unsigned n = 0;

	assert_true(head >= last_head && head - at <= SIZE);
	last_head = head;
	while (at < head) {
		struct item item = {0};

		memcpy(&item.record, bytes + at % SIZE, sizeof(item.record));
		assert_true(item.record.size >= sizeof(item.record) && item.record.size % 8 == 0);
		assert_true(item.record.size <= head - at);
		assert_true(item.record.size <= SIZE - at % SIZE);
		at += item.record.size;
		if (item.record.kind == FEED_PAD)
			continue;
		assert_int_equal(item.record.kind, FEED_STRETCH);
		memcpy(&item, bytes + (at - item.record.size) % SIZE, sizeof(item));
		assert_true(item.check == (item.serial ^ MARK));
		assert_true(n < 16);
		serials[n++] = item.serial;
	}
	return n;
}

static void start_at(uint64_t offset)
{
	memset(&shared, 0, sizeof(shared));
	memset(bytes, 0xee, sizeof(bytes));
	agent_looks = false;
	atomic_store(&shared.head, offset);
	atomic_store(&shared.tail, offset);
	last_head = offset;
	interrupt_at[0] = interrupt_at[1] = UINT32_MAX;
	ring_init(&thread_ring, &shared, bytes, SIZE, 7);
	ordered = steps = 0;
	agent_looks = true;
}

static void write_item(struct item *item, uint32_t size)
{
	uint64_t serial = next_serial++;

	memset(item, 0xee, size);
	item->record = (struct feed_record){size, FEED_STRETCH, 0};
	item->serial = serial;
	item->check = serial ^ MARK;
	order[ordered++] = serial;
}

/* The tick: reserves its most, uses less, and publishes unless it interrupted a wrapper. */
static void handler(void)
{
	struct item *item = ring_reserve(&thread_ring, HANDLER_MAX);

	if (!item)
		return;
	write_item(item, HANDLER_SIZE);
	ring_shrink(&thread_ring, HANDLER_MAX, HANDLER_SIZE);
	ring_commit(&thread_ring);
}

static void interrupt(void)
{
	uint64_t serials[16];

	if (!agent_looks)
		return;
	look(serials);
	if (in_handler)
		return;
	if (steps == interrupt_at[0] || steps == interrupt_at[1]) {
		in_handler = true;
		handler();
		in_handler = false;
	}
	steps++;
	look(serials);
}

static void wrapper(uint32_t size)
{
	struct item *item;

	ring_enter(&thread_ring);
	item = ring_reserve(&thread_ring, size);
	interrupt();
	if (item)
		write_item(item, size);
	interrupt();
	ring_leave(&thread_ring);
}

static void assert_all_published(void)
{
	uint64_t serials[16];
	unsigned n = look(serials);

	assert_int_equal(n, ordered);
	assert_int_equal(atomic_load(&shared.head), atomic_load(&thread_ring.reserved));
	for (unsigned i = 0; i < n; i++) {
		bool found = false;

		for (unsigned k = 0; k < n; k++)
			found |= serials[k] == order[i];
		assert_true(found);
	}
}

static void a_record_is_contiguous_at_every_offset_and_of_every_size(void **state)
{
	for (uint64_t offset = 0; offset < 2 * SIZE; offset += 8) {
		for (uint32_t size = 24; size <= SIZE / 2; size += 8) {
			uint64_t serials[16];
			uint32_t left = SIZE - (uint32_t)(offset % SIZE);
			struct item *item;

			start_at(offset);
			item = ring_reserve(&thread_ring, size);
			assert_non_null(item);
			assert_true((uint8_t *)item + size <= bytes + SIZE);
			write_item(item, size);
			ring_commit(&thread_ring);
			assert_int_equal(look(serials), 1);
			assert_int_equal(last_head, offset + size + (left < size ? left : 0));
		}
	}
}

static void a_full_ring_drops_and_takes_again_what_was_read(void **state)
{
	for (uint64_t offset = 0; offset < SIZE; offset += 8) {
		uint64_t serials[16], head;
		unsigned n = 0;
		struct item *item;

		start_at(offset);
		while ((item = ring_reserve(&thread_ring, 40))) {
			write_item(item, 40);
			ring_commit(&thread_ring);
			n++;
		}
		/* 256 bytes hold six records of 40, and five where the end of the ring cuts one
		 * off. */
		assert_true(n == 6 || n == 5);
		assert_int_equal(look(serials), n);
		head = last_head;
		assert_null(ring_reserve(&thread_ring, 40));
		ring_commit(&thread_ring);
		assert_int_equal(atomic_load(&shared.head), head);
		atomic_store(&shared.tail, head);
		item = ring_reserve(&thread_ring, 40);
		assert_non_null(item);
		write_item(item, 40);
		ring_commit(&thread_ring);
		assert_int_equal(look(serials), 1);
		assert_int_equal(serials[0], order[n]);
	}
}

static void what_can_never_fit_is_refused(void **state)
{
	start_at(0);
	assert_null(ring_reserve(&thread_ring, SIZE + 8));
	assert_non_null(ring_reserve(&thread_ring, SIZE));
	start_at(8);
	assert_null(ring_reserve(&thread_ring, SIZE));
	assert_int_equal(atomic_load(&thread_ring.reserved), 8);
}

static void a_tail_that_lies_only_costs_records(void **state)
{
	static const uint64_t lies[] = {9, 16, 1000, UINT64_MAX - SIZE, 1ULL << 63};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		start_at(8);
		agent_looks = false;
		atomic_store(&shared.tail, lies[i]);
		assert_null(ring_reserve(&thread_ring, 24));
	}
}

static void a_head_that_is_not_aligned_is_rounded_by_the_next_claim(void **state)
{
	start_at(0);
	agent_looks = false;
	atomic_store(&shared.head, 13);
	ring_init(&thread_ring, &shared, bytes, SIZE, 8);
	assert_int_equal(atomic_load(&thread_ring.reserved), 8);
	assert_int_equal((uintptr_t)ring_reserve(&thread_ring, 24) % 8, 0);
}

static void shrinking_gives_back_the_end_of_the_record_alone(void **state)
{
	for (uint64_t offset = 0; offset < SIZE; offset += 8) {
		uint64_t serials[16];
		uint8_t *first, *second;

		start_at(offset);
		first = ring_reserve(&thread_ring, HANDLER_MAX);
		write_item((struct item *)first, HANDLER_SIZE);
		ring_shrink(&thread_ring, HANDLER_MAX, HANDLER_SIZE);
		ring_commit(&thread_ring);
		second = ring_reserve(&thread_ring, HANDLER_SIZE);
		write_item((struct item *)second, HANDLER_SIZE);
		ring_commit(&thread_ring);
		assert_int_equal(look(serials), 2);
		assert_true(second == bytes || second == first + HANDLER_SIZE);
	}
}

static void a_tick_at_any_step_of_a_wrapper_loses_and_tears_nothing(void **state)
{
	for (uint64_t offset = 0; offset < SIZE; offset += 8) {
		for (unsigned at = 0; !at || at <= steps; at++) {
			start_at(offset);
			interrupt_at[0] = at;
			wrapper(40);
			assert_int_equal(ordered, at < steps ? 2 : 1);
			assert_all_published();
		}
		assert_true(steps >= 8);
	}
}

static void two_ticks_at_any_two_steps_lose_and_tear_nothing(void **state)
{
	for (uint64_t offset = 0; offset < SIZE; offset += 56) {
		unsigned last = 40;

		for (unsigned a = 0; a < last; a++) {
			for (unsigned b = a + 1; b < last; b++) {
				start_at(offset);
				interrupt_at[0] = a;
				interrupt_at[1] = b;
				wrapper(40);
				assert_all_published();
				if (a == 0 && b > steps)
					last = b;
			}
		}
		assert_true(last < 40);
	}
}

static void a_tick_at_any_step_of_a_wrapper_that_finds_the_ring_full_is_published(void **state)
{
	for (unsigned at = 0; !at || at <= steps; at++) {
		start_at(0);
		/* Too little for the wrapper's record, enough for the tick's. */
		for (int i = 0; i < 4; i++) {
			write_item(ring_reserve(&thread_ring, 40), 40);
			ring_commit(&thread_ring);
		}
		steps = 0;
		interrupt_at[0] = at;
		wrapper(104);
		assert_int_equal(ordered, at < steps ? 5 : 4);
		assert_all_published();
	}
}

static void a_tick_inside_a_wrapper_leaves_the_publishing_to_it(void **state)
{
	start_at(0);
	ring_enter(&thread_ring);
	handler();
	assert_int_equal(atomic_load(&shared.head), 0);
	ring_leave(&thread_ring);
	assert_int_equal(atomic_load(&shared.head), HANDLER_SIZE);
	assert_int_equal(atomic_load(&thread_ring.pushing), 0);
	handler();
	assert_int_equal(atomic_load(&shared.head), 2 * HANDLER_SIZE);
}

static void a_released_ring_is_the_agents_and_nobodys_twice(void **state)
{
	start_at(0);
	atomic_store(&shared.state, FEED_RING_CLAIMED);
	ring_release(&thread_ring);
	assert_int_equal(atomic_load(&shared.state), FEED_RING_RELEASED);
	assert_null(thread_ring.control);
	atomic_store(&shared.state, FEED_RING_FREE);
	ring_release(&thread_ring);
	assert_int_equal(atomic_load(&shared.state), FEED_RING_FREE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record_is_contiguous_at_every_offset_and_of_every_size),
	    cmocka_unit_test(a_full_ring_drops_and_takes_again_what_was_read),
	    cmocka_unit_test(what_can_never_fit_is_refused),
	    cmocka_unit_test(a_tail_that_lies_only_costs_records),
	    cmocka_unit_test(a_head_that_is_not_aligned_is_rounded_by_the_next_claim),
	    cmocka_unit_test(shrinking_gives_back_the_end_of_the_record_alone),
	    cmocka_unit_test(a_tick_at_any_step_of_a_wrapper_loses_and_tears_nothing),
	    cmocka_unit_test(two_ticks_at_any_two_steps_lose_and_tear_nothing),
	    cmocka_unit_test(a_tick_at_any_step_of_a_wrapper_that_finds_the_ring_full_is_published),
	    cmocka_unit_test(a_tick_inside_a_wrapper_leaves_the_publishing_to_it),
	    cmocka_unit_test(a_released_ring_is_the_agents_and_nobodys_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The module itself, its atomic operations made interruptible. Last: it poisons names. */
static uint64_t load64(_Atomic uint64_t *p)
{
	interrupt();
	return atomic_load(p);
}

static uint32_t load32(_Atomic uint32_t *p)
{
	interrupt();
	return atomic_load(p);
}

static void store64(_Atomic uint64_t *p, uint64_t v)
{
	interrupt();
	atomic_store(p, v);
}

static void store32(_Atomic uint32_t *p, uint32_t v)
{
	interrupt();
	atomic_store(p, v);
}

static bool exchange64(_Atomic uint64_t *p, uint64_t *expected, uint64_t v)
{
	interrupt();
	return atomic_compare_exchange_strong(p, expected, v);
}

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_compare_exchange_weak_explicit
#define atomic_load_explicit(p, o)                                                                 \
	_Generic((p), _Atomic uint64_t * : load64, _Atomic uint32_t * : load32)(p)
#define atomic_store_explicit(p, v, o)                                                             \
	_Generic((p), _Atomic uint64_t * : store64, _Atomic uint32_t * : store32)(p, v)
#define atomic_compare_exchange_weak_explicit(p, e, v, o, f) exchange64(p, e, v)
#include "shim/ring.c"
