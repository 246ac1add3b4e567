/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of a ring at once: the shim's ring.c on threads and in a real signal's handler, the
 * agent's drain.c on the main thread. Both use one mapping, so that the thread sanitizer sees every
 * access.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "agent/drain.h"
#include "test/unit/region_fixture.h"

#define PRODUCERS 2
#define RECORDS 20000U
#define EVENTS 100000U /* of wrappers and handler together */
#define TICKS 20000U   /* of them the handler's, at least */
#define TICK_NS 20000  /* between two signals */
#define PATIENCE_NS 120000000000ULL /* a loaded machine gives each side its turns late */

static struct fixture f;
static struct client *c;
/* By ring: the next serial of samples, and of stretch ends. */
static uint64_t samples[PRODUCERS + 1], ends[PRODUCERS + 1];

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t word_of(uint64_t serial, uint64_t i)
{
	return (serial * 0x9e3779b97f4a7c15ULL) ^ i;
}

static struct feed_context owner_of(uint64_t serial)
{
	struct feed_context context = {.flags = FEED_CONTEXT_REQUEST, .request = (uint32_t)serial};

	memcpy(context.trace_id, &serial, sizeof(serial));
	return context;
}

static void take_sample(void *arg, const struct drained_sample *s, struct ring_reader *reader)
{
	size_t ring = (size_t)(reader - c->readers);
	uint64_t serial = samples[ring]++;
	struct feed_context expected = owner_of(serial);

	assert_true(s->stretch == serial);
	assert_int_equal(s->frame_count, serial % 40);
	assert_memory_equal(&s->context, &expected, sizeof(expected));
	for (uint32_t i = 0; i < s->frame_count; i++)
		assert_true(s->frames[i] == word_of(serial, i));
}

static void take_end(void *arg, const struct feed_stretch *end, struct ring_reader *reader)
{
	size_t ring = (size_t)(reader - c->readers);
	uint64_t serial = ends[ring]++;
	struct feed_context expected = owner_of(serial);

	assert_true(end->stretch == serial);
	assert_memory_equal(&end->context, &expected, sizeof(expected));
}

static void take_closed(void *arg, struct process *process, struct ring_reader *reader)
{
}

static const struct drain_sink sink = {NULL, take_sample, take_end, take_closed, NULL, NULL};

static bool push_sample(struct ring *ring, uint64_t serial)
{
	struct feed_context context = owner_of(serial);
	uint64_t frames[40];
	uint32_t n = serial % 40;

	for (uint32_t i = 0; i < n; i++)
		frames[i] = word_of(serial, i);
	return fixture_sample(ring, serial, 0, &context, frames, n);
}

static bool push_end(struct ring *ring, uint64_t serial)
{
	struct feed_context owner = owner_of(serial);

	return fixture_stretch(ring, serial, &owner);
}

/* A client over the host's own mapping. */
static int setup(void **state)
{
	fixture_init(&f, PRODUCERS + 1);
	c = calloc(1, sizeof(*c));
	*c = (struct client){.memfd = f.memfd,
			     .header = f.region.header,
			     .slots = f.region.processes,
			     .controls = f.region.rings,
			     .data = f.region.data,
			     .ring_count = f.region.ring_count,
			     .ring_size = f.region.ring_size,
			     .first_pidfd = fixture_pidfd(getpid()),
			     .first_maps_fd = -1,
			     .first_pid = getpid()};
	c->readers = calloc(c->ring_count, sizeof(*c->readers));
	memset(samples, 0, sizeof(samples));
	memset(ends, 0, sizeof(ends));
	assert_int_equal(client_update(c, now_ns()), 1);
	return 0;
}

static int teardown(void **state)
{
	c->header = NULL;
	c->memfd = -1;
	client_free(c);
	fixture_release(&f);
	return 0;
}

static void *produce(void *arg)
{
	struct ring ring = {0};

	fixture_ring(&f, &ring, 1);
	for (uint64_t serial = 0; serial < RECORDS; serial++)
		while (!(serial % 3 ? push_sample(&ring, serial / 3 * 2 + serial % 3 - 1)
				    : push_end(&ring, serial / 3)))
			sched_yield();
	ring_release(&ring);
	return NULL;
}

static void what_threads_push_arrives_whole_and_in_order(void **state)
{
	pthread_t threads[PRODUCERS];
	uint64_t end = now_ns() + PATIENCE_NS, records = 0;
	unsigned closed = 0;

	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, produce, NULL), 0);
	while (closed < PRODUCERS && now_ns() < end) {
		records += drain_client(c, &sink, now_ns());
		closed = 0;
		for (uint32_t i = 0; i < c->ring_count; i++)
			closed += samples[i] + ends[i] == RECORDS;
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	drain_client(c, &sink, now_ns());
	assert_int_equal(closed, PRODUCERS);
	assert_true(records >= (uint64_t)PRODUCERS * RECORDS);
	assert_int_equal(drain_malformed(), 0);
	for (uint32_t i = 0; i < c->ring_count; i++)
		assert_int_equal(atomic_load(&c->controls[i].state), FEED_RING_FREE);
}

static void *reclaim(void *arg)
{
	for (int round = 0; round < 200; round++) {
		struct ring ring = {0};
		uint8_t *data;
		struct feed_ring *control;

		/* The agent gives rings back at its own pace. */
		while (!(control = region_claim_ring(&f.region, f.slot, f.session, 1, &data)))
			sched_yield();
		ring_init(&ring, control, data, f.region.ring_size, f.session);
		for (int i = 0; i < 5; i++)
			while (!fixture_sample(&ring, (uint64_t)round, 0, &(struct feed_context){0},
					       NULL, 0))
				sched_yield();
		ring_release(&ring);
	}
	return NULL;
}

static void count_sample(void *arg, const struct drained_sample *s, struct ring_reader *reader)
{
	++*(uint64_t *)arg;
	assert_int_equal(s->frame_count, 0);
}

static void rings_go_from_thread_to_thread_without_loss(void **state)
{
	pthread_t threads[PRODUCERS];
	uint64_t end = now_ns() + PATIENCE_NS, before = drain_malformed(), count = 0;
	struct drain_sink counter = {&count, count_sample, take_end, take_closed, NULL, NULL};

	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reclaim, NULL), 0);
	while (count < PRODUCERS * 200 * 5 && now_ns() < end)
		drain_client(c, &counter, now_ns());
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count, PRODUCERS * 200 * 5);
	assert_int_equal(drain_malformed(), before);
}

/* The thread that is interrupted, and what it and its handler have pushed. */
static __thread struct ring *interrupted;
static _Atomic uint64_t ticks, calls;
static _Atomic bool done;

static void tick(int signo)
{
	uint64_t serial = atomic_load_explicit(&ticks, memory_order_relaxed);
	struct ring *ring = interrupted;

	if (ring && push_sample(ring, serial))
		atomic_store_explicit(&ticks, serial + 1, memory_order_relaxed);
}

static timer_t start_ticks(void)
{
	struct sigevent event = {.sigev_signo = SIGRTMIN, .sigev_notify = SIGEV_THREAD_ID};
	struct itimerspec spec = {{0, TICK_NS}, {0, TICK_NS}};
	timer_t timer;

	event._sigev_un._tid = gettid();
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &spec, NULL), 0);
	return timer;
}

static void *wrap(void *arg)
{
	uint64_t end = now_ns() + PATIENCE_NS, serial = 0;
	struct ring ring = {0};
	timer_t timer;

	fixture_ring(&f, &ring, 1);
	interrupted = &ring;
	timer = start_ticks();
	while ((serial + atomic_load(&ticks) < EVENTS || atomic_load(&ticks) < TICKS) &&
	       now_ns() < end) {
		serial += push_end(&ring, serial);
		/* Busy as a host is, so that most ticks come outside and some inside. */
		for (volatile int i = 0; i < 200; i++)
			;
	}
	timer_delete(timer);
	atomic_signal_fence(memory_order_seq_cst);
	interrupted = NULL;
	atomic_store(&calls, serial);
	ring_release(&ring);
	atomic_store(&done, true);
	return NULL;
}

static void ticks_between_and_inside_wrappers_lose_double_and_tear_nothing(void **state)
{
	struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
	uint64_t before = drain_malformed();
	pthread_t thread;
	size_t ring = 0;

	sigaction(SIGRTMIN, &action, NULL);
	assert_int_equal(pthread_create(&thread, NULL, wrap, NULL), 0);
	while (!atomic_load(&done))
		drain_client(c, &sink, now_ns());
	pthread_join(thread, NULL);
	drain_client(c, &sink, now_ns());
	while (ring < PRODUCERS && !ends[ring])
		ring++;
	assert_int_equal(samples[ring], atomic_load(&ticks));
	assert_int_equal(ends[ring], atomic_load(&calls));
	assert_true(samples[ring] + ends[ring] >= EVENTS && samples[ring] >= TICKS);
	assert_int_equal(drain_malformed(), before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(what_threads_push_arrives_whole_and_in_order),
	    TEST(rings_go_from_thread_to_thread_without_loss),
	    TEST(ticks_between_and_inside_wrappers_lose_double_and_tear_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
