/* SPDX-License-Identifier: Apache-2.0 */
/* shim/region.c: what a formatted region looks like, and claims until there is nothing left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "test/unit/region_fixture.h"

#define RINGS 8
#define THREADS 4

static struct fixture f;

static int setup(void **state)
{
	fixture_init(&f, RINGS);
	return 0;
}

static int teardown(void **state)
{
	atomic_store(&region_current, NULL);
	fixture_release(&f);
	return 0;
}

/* Parts in the order in which they must lie: each begins where the one before has ended, or later.
 */
static void assert_apart(const struct feed_header *h, uint64_t size)
{
	uint64_t end = sizeof(*h);

	assert_true(h->processes_offset >= end);
	end = h->processes_offset + (uint64_t)h->process_count * sizeof(struct feed_process);
	assert_true(h->rings_offset >= end);
	end = h->rings_offset + (uint64_t)h->ring_count * sizeof(struct feed_ring);
	assert_true(h->maps_offset >= end);
	end = h->maps_offset + h->maps_size;
	assert_true(h->tables_offset >= end);
	end = h->tables_offset + h->tables_size;
	assert_true(h->data_offset >= end);
	end = h->data_offset + (uint64_t)h->ring_count * h->ring_size;
	assert_true(end <= size);
}

static void every_shape_gives_a_header_whose_parts_lie_apart_and_inside(void **state)
{
	for (unsigned i = 0; i < REGION_SHAPES; i++) {
		size_t size = region_size(&region_shapes[i]);
		struct feed_header *h = mmap(NULL, size, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		struct region r = {0};

		assert_ptr_not_equal(h, MAP_FAILED);
		region_format(&r, h, &region_shapes[i], &fixture_config);
		assert_int_equal(h->magic, FEED_MAGIC);
		assert_int_equal(h->version, FEED_VERSION);
		assert_int_equal(h->size, size);
		assert_int_equal(h->process_count, FEED_PROCESSES);
		assert_int_equal(h->ring_count, region_shapes[i].ring_count);
		assert_int_equal(h->ring_size, region_shapes[i].ring_size);
		assert_int_equal(h->ring_size & (h->ring_size - 1), 0);
		assert_true(h->ring_size >= FEED_RING_MIN && h->ring_size <= FEED_RING_MAX);
		assert_int_equal(h->rings_offset % 64, 0);
		assert_apart(h, size);
		assert_memory_equal(&h->config, &fixture_config, sizeof(fixture_config));
		assert_ptr_equal(r.header, h);
		assert_ptr_equal(r.processes, (uint8_t *)h + h->processes_offset);
		assert_ptr_equal(r.rings, (uint8_t *)h + h->rings_offset);
		assert_ptr_equal(r.tables, (uint8_t *)h + h->tables_offset);
		assert_ptr_equal(r.data, (uint8_t *)h + h->data_offset);
		munmap(h, size);
	}
}

static void rings_are_larger_when_every_stack_comes_along(void **state)
{
	struct feed_config config = fixture_config;

	for (int i = 0; i < REGION_SHAPES; i++) {
		config.verify_stacks = 0;
		assert_int_equal(region_shape(i, &config).ring_size, region_shapes[i].ring_size);
		config.verify_stacks = 1;
		assert_true(region_shape(i, &config).ring_size > region_shapes[i].ring_size);
		assert_true(region_shape(i, &config).ring_size <= FEED_RING_MAX);
	}
}

static void shapes_go_from_large_to_small(void **state)
{
	for (unsigned i = 1; i < REGION_SHAPES; i++)
		assert_true(region_size(&region_shapes[i]) < region_size(&region_shapes[i - 1]));
}

static void a_claimed_slot_says_who_and_when(void **state)
{
	const struct feed_process *p;
	struct timespec now;
	uint32_t slot, session;

	assert_true(region_claim_process(&f.region, 4711, f.slot, &slot, &session));
	p = &f.region.processes[slot];
	clock_gettime(CLOCK_BOOTTIME, &now);
	assert_int_equal(p->state, FEED_PROCESS_LIVE);
	assert_int_equal(p->pid, 4711);
	assert_int_equal(p->parent, f.slot);
	assert_int_equal(p->session, session);
	assert_true((uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec - p->boottime_ns <
		    10000000000U);
	assert_int_equal(f.region.processes[f.slot].parent, f.slot);
}

static uint64_t counted(enum feed_counter what)
{
	return atomic_load(&f.region.header->counters[what]);
}

static void slots_are_claimed_once_each_until_there_are_none(void **state)
{
	static bool seen[FEED_PROCESSES + 2];
	uint32_t slot, session;

	atomic_store(&region_current, &f.region);
	for (uint32_t i = 1; i < FEED_PROCESSES; i++) {
		assert_true(region_claim_process(&f.region, 1, 0, &slot, &session));
		assert_int_equal(slot, i);
		assert_true(session != 0 && session <= FEED_PROCESSES && !seen[session]);
		seen[session] = true;
	}
	assert_int_equal(counted(FEED_COUNTER_slot_none), 0);
	assert_false(region_claim_process(&f.region, 1, 0, &slot, &session));
	assert_int_equal(counted(FEED_COUNTER_slot_none), 1);
	atomic_store(&f.region.processes[77].state, FEED_PROCESS_FREE);
	assert_true(region_claim_process(&f.region, 1, 0, &slot, &session));
	assert_int_equal(slot, 77);
	assert_int_equal(session, FEED_PROCESSES + 1);
}

static void rings_are_claimed_once_each_until_there_are_none(void **state)
{
	bool seen[RINGS] = {0};
	uint8_t *data;

	for (int32_t tid = 1; tid <= RINGS; tid++) {
		struct feed_ring *r = region_claim_ring(&f.region, f.slot, f.session, tid, &data);
		size_t index = (size_t)(r - f.region.rings);

		assert_true(r && index < RINGS && !seen[index]);
		seen[index] = true;
		assert_ptr_equal(data, f.region.data + index * f.region.ring_size);
		assert_int_equal(r->state, FEED_RING_CLAIMED);
		assert_int_equal(r->tid, tid);
		assert_int_equal(r->process, f.slot);
		assert_int_equal(r->session, f.session);
	}
	assert_null(region_claim_ring(&f.region, f.slot, f.session, 99, &data));
	atomic_store(&f.region.rings[3].state, FEED_RING_RELEASED);
	assert_null(region_claim_ring(&f.region, f.slot, f.session, 99, &data));
	atomic_store(&f.region.rings[3].state, FEED_RING_FREE);
	assert_ptr_equal(region_claim_ring(&f.region, f.slot, f.session, 99, &data),
			 &f.region.rings[3]);
}

static void *claim_everything(void *arg)
{
	unsigned *count = arg;
	uint32_t slot, session;
	uint8_t *data;

	for (int i = 0; i < RINGS; i++)
		count[0] += region_claim_ring(&f.region, 0, 1, 1, &data) != NULL;
	for (unsigned i = 0; i < FEED_PROCESSES / 2; i++)
		count[1] += region_claim_process(&f.region, 1, 0, &slot, &session);
	return NULL;
}

static void racing_threads_never_get_the_same(void **state)
{
	unsigned counts[THREADS][2] = {0}, rings = 0, slots = 0;
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, claim_everything, counts[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		rings += counts[i][0];
		slots += counts[i][1];
	}
	assert_int_equal(rings, RINGS);
	assert_int_equal(slots, FEED_PROCESSES - 1);
}

static void what_is_counted_before_the_attach_is_carried_over_once(void **state)
{
	count_carry_over(&f.region);
	memset(f.region.header->counters, 0, sizeof(f.region.header->counters));
	count(FEED_COUNTER_attaching, 3);
	count(FEED_COUNTER_attaching, 2);
	count(FEED_COUNTER_conn_busy, 1);
	assert_int_equal(counted(FEED_COUNTER_attaching), 0);
	count_carry_over(&f.region);
	count_carry_over(&f.region);
	assert_int_equal(counted(FEED_COUNTER_attaching), 5);
	assert_int_equal(counted(FEED_COUNTER_conn_busy), 1);
	atomic_store(&region_current, &f.region);
	count(FEED_COUNTER_attaching, 4);
	assert_int_equal(counted(FEED_COUNTER_attaching), 9);
	atomic_store(&region_current, NULL);
	count_carry_over(&f.region);
	assert_int_equal(counted(FEED_COUNTER_attaching), 9);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(every_shape_gives_a_header_whose_parts_lie_apart_and_inside),
	    TEST(rings_are_larger_when_every_stack_comes_along),
	    TEST(shapes_go_from_large_to_small),
	    TEST(a_claimed_slot_says_who_and_when),
	    TEST(slots_are_claimed_once_each_until_there_are_none),
	    TEST(rings_are_claimed_once_each_until_there_are_none),
	    TEST(racing_threads_never_get_the_same),
	    TEST(what_is_counted_before_the_attach_is_carried_over_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
