/* SPDX-License-Identifier: Apache-2.0 */
/* shim/heartbeat.c: an agent that beats is never taken for gone, one that does not is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "shim/heartbeat.h"

#define SECOND 1000000000ULL
#define THREADS 4
#define LOOKS 200000

static struct heartbeat heart;

static void a_count_that_moves_is_an_agent_that_lives(void **state)
{
	heartbeat_start(&heart, 100 * SECOND);
	assert_int_equal(heartbeat_look(&heart, 1, 101 * SECOND), HEARTBEAT_MOVED);
	assert_int_equal(heartbeat_look(&heart, 1, 102 * SECOND), HEARTBEAT_STILL);
	assert_int_equal(heartbeat_look(&heart, 2, 200 * SECOND), HEARTBEAT_MOVED);
	assert_int_equal(heartbeat_look(&heart, 2, 209 * SECOND), HEARTBEAT_STILL);
}

static void one_that_does_not_for_ten_seconds_is_silent(void **state)
{
	heartbeat_start(&heart, 100 * SECOND);
	assert_int_equal(heartbeat_look(&heart, 0, 110 * SECOND), HEARTBEAT_STILL);
	assert_int_equal(heartbeat_look(&heart, 0, 111 * SECOND), HEARTBEAT_SILENT);
	assert_int_equal(heartbeat_look(&heart, 1, 112 * SECOND), HEARTBEAT_MOVED);
	assert_int_equal(heartbeat_look(&heart, 1, 123 * SECOND), HEARTBEAT_SILENT);
}

static void who_read_the_clock_before_another_noted_the_time_sees_no_silence(void **state)
{
	heartbeat_start(&heart, 100 * SECOND);
	assert_int_equal(heartbeat_look(&heart, 7, 101 * SECOND), HEARTBEAT_MOVED);
	assert_int_equal(heartbeat_look(&heart, 7, 101 * SECOND - 1), HEARTBEAT_STILL);
	assert_int_equal(heartbeat_look(&heart, 7, 90 * SECOND), HEARTBEAT_STILL);
}

static void nor_does_he_make_others_see_one(void **state)
{
	heartbeat_start(&heart, 100 * SECOND);
	assert_int_equal(heartbeat_look(&heart, 7, 120 * SECOND), HEARTBEAT_MOVED);
	assert_int_equal(heartbeat_look(&heart, 8, 105 * SECOND), HEARTBEAT_MOVED);
	assert_int_equal(heartbeat_look(&heart, 8, 121 * SECOND), HEARTBEAT_STILL);
}

static void a_time_before_another_is_not_over(void **state)
{
	assert_false(heartbeat_over(5, 6, 0));
	assert_false(heartbeat_over(6, 6, 0));
	assert_false(heartbeat_over(16, 6, 10));
	assert_true(heartbeat_over(17, 6, 10));
}

static _Atomic uint32_t beat;
static _Atomic uint32_t silences;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void *looks(void *beats)
{
	for (int i = 0; i < LOOKS; i++) {
		uint64_t now = now_ns();

		if (beats && i % 64 == 0)
			beat++;
		if (heartbeat_look(&heart, beat, now) == HEARTBEAT_SILENT)
			silences++;
	}
	return NULL;
}

static void many_threads_that_look_at_a_time_see_no_silence(void **state)
{
	pthread_t threads[THREADS];

	silences = 0;
	heartbeat_start(&heart, now_ns());
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, looks, i ? NULL : &beat), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(silences, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_count_that_moves_is_an_agent_that_lives),
		cmocka_unit_test(one_that_does_not_for_ten_seconds_is_silent),
		cmocka_unit_test(who_read_the_clock_before_another_noted_the_time_sees_no_silence),
		cmocka_unit_test(nor_does_he_make_others_see_one),
		cmocka_unit_test(a_time_before_another_is_not_over),
		cmocka_unit_test(many_threads_that_look_at_a_time_see_no_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
