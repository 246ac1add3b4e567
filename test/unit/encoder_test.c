/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/encoder.c: a profile of this very program is made by another thread while this one goes on
 * with what the agent's loop does meanwhile: modules, unwind data, stacks, an aggregate of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/encoder.h"
#include "agent/maps.h"

#define STACKS 2000
#define PATIENCE_MS 60000

static struct modules *modules;
static struct maps maps;
static struct aggregate *a;
static struct export_options options = {.period_ns = 10000000, .trace_ids = true};
static size_t part_count, part_bytes;

static struct frame frame_at(uintptr_t pc)
{
	const struct maps_entry *entry = maps_find(&maps, pc);
	struct module *m;

	assert_non_null(entry);
	m = module_get(modules, entry, getpid());
	return (struct frame){m, module_vaddr(m, entry, pc), false};
}

static int setup(void **state)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	modules = modules_new();
	maps_init(&maps);
	if (maps_read_fd(&maps, fd) != 0)
		return -1;
	close(fd);
	a = aggregate_new(1700000000000000000, &(struct aggregate_options){.spans_max = 5000});
	part_count = part_bytes = 0;
	return 0;
}

static int teardown(void **state)
{
	aggregate_free(a);
	maps_release(&maps);
	modules_free(modules);
	return 0;
}

static void take(void *arg, unsigned char *bytes, size_t n)
{
	assert_ptr_equal(arg, &options);
	part_count++;
	part_bytes += n;
	free(bytes);
}

/* Stacks that two aggregates share, as a thread's do that span two intervals. */
static void fill(struct aggregate *first, struct aggregate *second, size_t n)
{
	static const struct feed_context none;
	uintptr_t own = (uintptr_t)setup, libc = (uintptr_t)qsort;

	for (size_t i = 0; i < n; i++) {
		struct frame frames[] = {frame_at(own + i % 512), frame_at(libc + i), frame_at(libc + i / 2)};
		struct stack *s = stack_new(frames, 3, false);

		assert_non_null(s);
		aggregate_add(first, s, &none, 1, 1000);
		if (second)
			aggregate_add(second, s, &none, 1, 1000);
		stack_put(s);
	}
}

static int finish(struct encoder *e)
{
	struct timespec pause = {.tv_nsec = 1000000};
	int error = 1;

	for (int i = 0; i < PATIENCE_MS && !encoder_finish(e, take, &options, &error); i++)
		nanosleep(&pause, NULL);
	return error;
}

static void a_profile_is_made_while_the_loop_goes_on(void **state)
{
	struct aggregate *next = aggregate_new(1700000001000000000, &(struct aggregate_options){.spans_max = 5000});
	struct encoder *e = encoder_new();
	struct timespec pause = {.tv_nsec = 1000000};
	unsigned turns = 0;
	int error;

	assert_non_null(e);
	fill(a, next, STACKS);
	assert_true(encoder_start(e, a, &options));
	while (!encoder_finish(e, take, &options, &error)) {
		assert_true(encoder_busy(e));
		assert_false(encoder_start(e, next, &options));
		for (size_t i = 0; i < maps.count; i++)
			if (maps.entries[i].exec)
				module_frames(module_get(modules, &maps.entries[i], getpid()));
		fill(next, NULL, 64);
		turns++;
		nanosleep(&pause, NULL);
	}
	assert_int_equal(error, 0);
	assert_int_equal(part_count, 1);
	assert_true(part_bytes > 1000);
	assert_true(turns > 1);
	assert_false(encoder_busy(e));
	assert_true(encoder_start(e, next, &options));
	assert_int_equal(finish(e), 0);
	assert_int_equal(part_count, 2);
	assert_false(encoder_finish(e, take, &options, &error));
	encoder_free(e);
	aggregate_free(next);
}

static void several_parts_are_given_at_once(void **state)
{
	struct export_options small = options;
	struct encoder *e = encoder_new();

	small.samples_max = STACKS / 4;
	fill(a, NULL, STACKS);
	assert_true(encoder_start(e, a, &small));
	assert_int_equal(finish(e), 0);
	assert_true(part_count >= 4);
	encoder_free(e);
}

static void to_free_it_is_to_wait_for_it(void **state)
{
	struct encoder *e = encoder_new();

	fill(a, NULL, STACKS);
	assert_true(encoder_start(e, a, &options));
	encoder_free(e);
	encoder_free(encoder_new());
	assert_int_equal(part_count, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_profile_is_made_while_the_loop_goes_on),
		TEST(several_parts_are_given_at_once),
		TEST(to_free_it_is_to_wait_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
