/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/inherit.c: what is written for a new program is what its constructor takes out, and nothing of it
 * is left. Blocks have their exact size, so that the sanitizers see a write past them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/attribute.h"
#include "shim/inherit.h"
#include "shim/thread.h"

#define IDS "0102030405060708090a0b0c0d0e0f10-f1f2f3f4f5f6f7f8"
#define VARIABLE "SPANPROF_CONTEXT=00-" IDS "-01"

extern char **environ;

static const struct feed_context traced = {
	.trace_id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	.span_id = {0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8},
	.flags = FEED_CONTEXT_REQUEST | FEED_CONTEXT_IDS,
};
static const struct feed_context untraced = {.flags = FEED_CONTEXT_REQUEST};
static char preload[] = "LD_PRELOAD=/opt/libspanprof.so", home[] = "HOME=/", stale[] = "SPANPROF_CONTEXT=x";
static char **environ_before;

static void assert_taken(const struct trace_context *out)
{
	assert_memory_equal(out->trace_id, traced.trace_id, sizeof(out->trace_id));
	assert_memory_equal(out->span_id, traced.span_id, sizeof(out->span_id));
	assert_int_equal(out->flags, TRACE_FLAG_SAMPLED);
}

static void take_up(const struct feed_context *request)
{
	struct trace_context out;

	/* As BOOT of a program that LD_PRELOAD brought the library into. */
	setenv("LD_PRELOAD", "libspanprof.so", 1);
	inherit_take(NULL, &out);
	memset(&thread_self, 0, sizeof(thread_self));
	assert_true(attribute_enter(&thread_self, request));
}

static int teardown(void **state)
{
	unsetenv("LD_PRELOAD");
	memset(&thread_self, 0, sizeof(thread_self));
	return 0;
}

static void a_variable_comes_last_and_is_taken_out_again(void **state)
{
	char *envp[] = {preload, stale, home, NULL}, **copy;
	struct trace_context out;
	size_t size;
	void *room;

	take_up(&traced);
	size = inherit_environment_size(envp);
	room = malloc(size);
	copy = inherit_environment(room, envp);
	assert_ptr_equal(copy[0], preload);
	assert_ptr_equal(copy[1], home);
	assert_string_equal(copy[2], VARIABLE);
	assert_null(copy[3]);
	environ_before = environ;
	environ = copy;
	assert_true(inherit_take(NULL, &out));
	environ = environ_before;
	assert_taken(&out);
	assert_ptr_equal(copy[1], home);
	assert_null(copy[2]);
	free(room);
}

static void a_comment_behind_a_command_is_taken_out_again(void **state)
{
	char shell[] = "sh", flag[] = "-c", dashes[] = "--", *envp[] = {preload, NULL};
	struct trace_context out;
	size_t size;
	char *room;

	take_up(&traced);
	size = inherit_command_size("echo a\necho b", envp);
	room = malloc(size);
	assert_ptr_equal(inherit_command(room, "echo a\necho b"), room);
	assert_string_equal(room, "echo a\necho b\n#" VARIABLE);
	assert_int_equal(strlen(room) + 1, size);
	assert_true(inherit_take((char *[]){shell, flag, room, NULL}, &out));
	assert_taken(&out);
	assert_string_equal(room, "echo a\necho b");
	for (size_t i = strlen(room); i < size; i++)
		assert_int_equal(room[i], 0);
	inherit_command(room, "echo a\necho b");
	assert_true(inherit_take((char *[]){shell, flag, dashes, room, NULL}, &out));
	assert_string_equal(room, "echo a\necho b");
	free(room);
}

static void other_arguments_stay_as_they_are(void **state)
{
	char shell[] = "sh", flag[] = "-c", other[] = "-x", dashes[] = "--";
	char command[] = "true\n#" VARIABLE, without[] = "true\n# SPANPROF", broken[] = "\n#SPANPROF_CONTEXT=00-";
	struct trace_context out;

	assert_false(inherit_take((char *[]){NULL}, &out));
	assert_false(inherit_take((char *[]){shell, NULL}, &out));
	assert_false(inherit_take((char *[]){shell, flag, NULL}, &out));
	assert_false(inherit_take((char *[]){shell, flag, dashes, NULL}, &out));
	assert_false(inherit_take((char *[]){shell, other, command, NULL}, &out));
	assert_string_equal(command, "true\n#" VARIABLE);
	assert_false(inherit_take((char *[]){shell, flag, without, NULL}, &out));
	assert_string_equal(without, "true\n# SPANPROF");
	assert_false(inherit_take((char *[]){shell, flag, broken, NULL}, &out));
	assert_string_equal(broken, "");
}

static void nothing_is_passed_where_nobody_would_take_it_out(void **state)
{
	char other[] = "LD_PRELOAD=libother.so", *none[] = {NULL}, *foreign[] = {other, home, NULL};

	take_up(&traced);
	assert_int_equal(inherit_environment_size(NULL), 0);
	assert_int_equal(inherit_environment_size(none), 0);
	assert_int_equal(inherit_environment_size(foreign), 0);
	assert_int_equal(inherit_command_size("true", foreign), 0);
	assert_int_equal(inherit_command_size(NULL, (char *[]){preload, NULL}), 0);
}

static void nothing_is_passed_for_no_trace(void **state)
{
	char *envp[] = {preload, NULL};

	take_up(&untraced);
	assert_int_equal(inherit_environment_size(envp), 0);
	assert_int_equal(inherit_command_size("true", envp), 0);
	take_up(&traced);
	assert_int_not_equal(inherit_environment_size(envp), 0);
	/* The record may be half written below a handler that starts a program. */
	thread_self.observing = 1;
	assert_int_equal(inherit_environment_size(envp), 0);
}

static void what_is_too_long_is_left_alone(void **state)
{
	static char *envp[INHERIT_VARIABLES_MAX + 2], command[INHERIT_COMMAND_MAX + 2];

	take_up(&traced);
	envp[0] = preload;
	for (int i = 1; i < INHERIT_VARIABLES_MAX; i++)
		envp[i] = home;
	assert_int_not_equal(inherit_environment_size(envp), 0);
	envp[INHERIT_VARIABLES_MAX] = home;
	assert_int_equal(inherit_environment_size(envp), 0);
	memset(command, 'x', INHERIT_COMMAND_MAX);
	assert_int_not_equal(inherit_command_size(command, (char *[]){preload, NULL}), 0);
	command[INHERIT_COMMAND_MAX] = 'x';
	assert_int_equal(inherit_command_size(command, (char *[]){preload, NULL}), 0);
}

static void who_loads_the_library_everywhere_needs_no_variable_for_it(void **state)
{
	char *envp[] = {home, NULL};
	struct trace_context out;

	take_up(&traced);
	unsetenv("LD_PRELOAD");
	inherit_take(NULL, &out);
	assert_int_not_equal(inherit_environment_size(envp), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_variable_comes_last_and_is_taken_out_again, teardown),
		cmocka_unit_test_teardown(a_comment_behind_a_command_is_taken_out_again, teardown),
		cmocka_unit_test_teardown(other_arguments_stay_as_they_are, teardown),
		cmocka_unit_test_teardown(nothing_is_passed_where_nobody_would_take_it_out, teardown),
		cmocka_unit_test_teardown(nothing_is_passed_for_no_trace, teardown),
		cmocka_unit_test_teardown(what_is_too_long_is_left_alone, teardown),
		cmocka_unit_test_teardown(who_loads_the_library_everywhere_needs_no_variable_for_it, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
