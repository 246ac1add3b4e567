/* SPDX-License-Identifier: Apache-2.0 */
/* agent/report.c: the launcher finds whole lines, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/report.h"

static char directory[] = "/tmp/spanprof-report-XXXXXX", path[64], text[512];

static int setup(void **state)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/done", directory);
	return 0;
}

static int teardown(void **state)
{
	char name[96];

	for (const char *const *s = (const char *const[]){"", ".agent", ".new", ".agent.new", NULL};
	     *s; s++) {
		snprintf(name, sizeof(name), "%s%s", path, *s);
		unlink(name);
	}
	return rmdir(directory);
}

static const char *content(const char *suffix)
{
	char name[96];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	fd = open(name, O_RDONLY);
	if (fd < 0)
		return NULL;
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	close(fd);
	return text;
}

static void the_agents_number_is_there_from_the_start(void **state)
{
	char expected[32];

	snprintf(expected, sizeof(expected), "%d\n", (int)getpid());
	report_start(path);
	assert_string_equal(content(".agent"), expected);
	assert_null(content(""));
	assert_null(content(".agent.new"));
}

static void the_last_line_holds_all_totals(void **state)
{
	struct collect_totals totals = {.samples = 1, .nanoseconds = UINT64_MAX, .spans = 3, .folded.spans = 7};
	struct deliver_totals delivered = {.files = 4, .pushed = 5, .failed = 6};

	report_done(path, &totals, &delivered);
	assert_string_equal(content(""), "samples=1 cpu_ns=18446744073709551615 spans=3 folded=7 files=4 "
					 "pushed=5 failed=6\n");
	totals.samples = 2;
	report_done(path, &totals, &delivered);
	assert_memory_equal(content(""), "samples=2 ", 10);
	assert_null(content(".new"));
}

static void without_a_path_nothing_is_written(void **state)
{
	struct collect_totals totals = {0};
	struct deliver_totals delivered = {0};
	char longer[5000];

	memset(longer, '/', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	for (int i = 0; i < 4; i++) {
		const char *p = (const char *[]){NULL, "", longer, "/nonexistent/a/b"}[i];

		report_start(p);
		report_done(p, &totals, &delivered);
	}
	assert_null(content(""));
	assert_null(content(".agent"));
}

static void a_place_that_cannot_be_replaced_leaves_no_rubbish(void **state)
{
	struct collect_totals totals = {0};
	struct deliver_totals delivered = {0};

	assert_int_equal(mkdir(path, 0700), 0);
	report_done(path, &totals, &delivered);
	assert_null(content(".new"));
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(the_agents_number_is_there_from_the_start),
	    TEST(the_last_line_holds_all_totals),
	    TEST(without_a_path_nothing_is_written),
	    TEST(a_place_that_cannot_be_replaced_leaves_no_rubbish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
