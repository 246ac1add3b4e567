/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What bounds agent/symbol_dwarf.c in time: its own use of a processor, not how long it waits for
 * one. This program's clocks are its own: of each, as much as is said passes between two looks at
 * it.
 */
#include "agent/symbol_dwarf.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static time_t wall_step_s, cpu_step_s;

int clock_gettime(clockid_t clock, struct timespec *now)
{
	static time_t wall_s, cpu_s;

	*now = (struct timespec){0};
	if (clock == CLOCK_THREAD_CPUTIME_ID)
		now->tv_sec = cpu_s += cpu_step_s;
	else
		now->tv_sec = wall_s += wall_step_s;
	return 0;
}

/* An address of this program as its file has it. */
static uint64_t own_vaddr(const void *address)
{
	extern const char __executable_start[];

	return (uint64_t)((const char *)address - __executable_start);
}

static int open_own(struct symbol_dwarf **d)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct symbol_map map, none = {0};

	assert_true(fd >= 0);
	assert_int_equal(symbol_map_open(&map, fd, false), 0);
	close(fd);
	return symbol_dwarf_open(d, &map, &none);
}

/* The frames that are known of a function of this file. */
static size_t known(struct symbol_dwarf *d)
{
	static struct symbol_answer answer;

	symbol_dwarf_find(d, own_vaddr((const void *)(uintptr_t)open_own), &answer);
	if (answer.count) {
		assert_string_equal(answer.frames[0].name, "open_own");
		assert_non_null(strstr(answer.frames[0].file, "symbol_dwarf_test.c"));
	}
	return answer.count;
}

static void however_long_it_waits_for_a_processor_names_are_found(void **state)
{
	struct symbol_dwarf *d;

	wall_step_s = 60;
	cpu_step_s = 0;
	assert_int_equal(open_own(&d), 0);
	assert_int_equal(known(d), 1);
	symbol_dwarf_close(d);
}

static void what_takes_a_processor_too_long_is_given_up(void **state)
{
	struct symbol_dwarf *d;

	wall_step_s = 0;
	cpu_step_s = 60;
	assert_int_equal(open_own(&d), -ETIME);
}

/* Until the window of time is over. */
static void all_units_together_have_a_share_of_a_processor(void **state)
{
	static struct symbol_answer answer;
	struct symbol_dwarf *d;

	wall_step_s = cpu_step_s = 0;
	assert_int_equal(open_own(&d), 0);
	cpu_step_s = 60;
	symbol_dwarf_find(d, own_vaddr((const void *)(uintptr_t)open_own), &answer);
	assert_false(answer.hurried);
	symbol_dwarf_find(d, own_vaddr((const void *)(uintptr_t)symbol_dwarf_find), &answer);
	assert_true(answer.hurried);
	cpu_step_s = 0;
	wall_step_s = 60;
	symbol_dwarf_find(d, own_vaddr((const void *)(uintptr_t)symbol_dwarf_find), &answer);
	assert_false(answer.hurried);
	assert_string_equal(answer.frames[0].name, "symbol_dwarf_find");
	symbol_dwarf_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(however_long_it_waits_for_a_processor_names_are_found),
	    cmocka_unit_test(what_takes_a_processor_too_long_is_given_up),
	    cmocka_unit_test(all_units_together_have_a_share_of_a_processor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
