/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/debuginfod.c and the half of debuginfod_fetch.c that is the loop's: what is asked for, when, and
 * what becomes of each answer. The process that fetches is this program again, which plays a library
 * that finds, misses, fails or hangs; time is the test's.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/debuginfod.h"
#include "agent/debuginfod_fetch.h"
#include "agent/log.h"

#define MS 1000000ull
#define FOUND "aa01"
#define MISSED "bb02"
#define FAILED "cc03"
#define HANGS "dd04"

static uint64_t now;
static char log_path[] = "/tmp/debuginfod_test.XXXXXX";

static int play(const char *build_id)
{
	if (!strcmp(build_id, HANGS))
		pause();
	if (!strcmp(build_id, FAILED))
		return ECONNREFUSED;
	if (!strcmp(build_id, MISSED))
		return ENOENT;
	printf("/cache/%s/debuginfo", build_id);
	return 0;
}

static int begin(void **state)
{
	now = 1000 * MS;
	setenv("DEBUGINFOD_URLS", "http://127.0.0.1:9", 1);
	debuginfod_configure(true);
	return truncate(log_path, 0);
}

static int end(void **state)
{
	debuginfod_release();
	return 0;
}

static bool asked(const char *build_id)
{
	char path[64];

	return debuginfod_find(build_id, path, sizeof(path));
}

static bool child_left(void)
{
	siginfo_t info = {0};

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void wait_for_child(void)
{
	siginfo_t info;

	assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
}

/* Begin what is wanted, wait for its end, take that. */
static void one_fetch(void)
{
	debuginfod_poll(now);
	wait_for_child();
	debuginfod_poll(now += 5 * MS);
}

static unsigned lines_logged(void)
{
	FILE *f = fopen(log_path, "r");
	unsigned n = 0;

	for (int c; (c = getc(f)) != EOF;)
		n += c == '\n';
	fclose(f);
	return n;
}

static void a_file_that_was_found_is_known_from_then_on(void **state)
{
	unsigned before = debuginfod_arrivals();
	char path[64] = "", small[4];

	assert_false(debuginfod_find(FOUND, path, sizeof(path)));
	assert_false(child_left());
	one_fetch();
	assert_int_equal(debuginfod_arrivals(), before + 1);
	assert_true(debuginfod_find(FOUND, path, sizeof(path)));
	assert_string_equal(path, "/cache/" FOUND "/debuginfo");
	assert_false(debuginfod_find(FOUND, small, sizeof(small)));
	debuginfod_poll(now += 3600000 * MS);
	assert_false(child_left());
	assert_int_equal(lines_logged(), 0);
}

static void what_no_server_has_is_not_asked_for_again_for_an_hour(void **state)
{
	unsigned before = debuginfod_arrivals();

	assert_false(asked(MISSED));
	one_fetch();
	assert_false(asked(MISSED));
	assert_int_equal(debuginfod_arrivals(), before);
	debuginfod_poll(now += (DEBUGINFOD_ABSENT_MS - 100) * MS);
	assert_false(child_left());
	debuginfod_poll(now += 200 * MS);
	assert_true(child_left());
	assert_int_equal(lines_logged(), 0);
}

static void trouble_is_said_once_and_pauses_everything(void **state)
{
	assert_false(asked(FAILED));
	assert_false(asked(FOUND));
	one_fetch();
	assert_int_equal(lines_logged(), 1);
	debuginfod_poll(now += (DEBUGINFOD_PAUSE_MS - 100) * MS);
	assert_false(child_left());
	now += 200 * MS;
	one_fetch();
	assert_int_equal(lines_logged(), 1);
}

static void what_hangs_is_killed_after_its_time(void **state)
{
	assert_false(asked(HANGS));
	debuginfod_poll(now);
	debuginfod_poll(now += (DEBUGINFOD_FETCH_MS - 100) * MS);
	assert_true(child_left());
	assert_int_equal(lines_logged(), 0);
	debuginfod_poll(now += 200 * MS);
	assert_false(child_left());
	assert_int_equal(lines_logged(), 1);
}

static void all_fetches_of_an_hour_have_a_bound(void **state)
{
	unsigned taken = 0;
	char id[16];

	for (unsigned i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "aa%02x", i);
		assert_false(asked(id));
	}
	for (debuginfod_poll(now); child_left() && taken < 100; taken++) {
		wait_for_child();
		debuginfod_poll(now += (DEBUGINFOD_FETCH_MS - 1) * MS);
	}
	assert_int_equal(taken, DEBUGINFOD_BUSY_MS / DEBUGINFOD_FETCH_MS + 1);
	debuginfod_poll(now += DEBUGINFOD_WINDOW_MS * MS);
	assert_true(child_left());
}

static void a_fetch_under_way_ends_with_the_agent(void **state)
{
	assert_false(asked(HANGS));
	debuginfod_poll(now);
	assert_true(child_left());
	debuginfod_release();
	assert_false(child_left());
}

static void objects_have_a_bound(void **state)
{
	char id[16];

	for (unsigned i = 0; i < DEBUGINFOD_OBJECTS_MAX + 10; i++) {
		snprintf(id, sizeof(id), "%06x", i);
		assert_false(asked(id));
	}
	assert_false(asked(""));
}

static void without_being_asked_or_a_server_nothing_is_fetched(void **state)
{
	debuginfod_configure(false);
	assert_false(asked(FOUND));
	debuginfod_poll(now);
	assert_false(child_left());
	assert_int_equal(lines_logged(), 0);
	setenv("DEBUGINFOD_URLS", "", 1);
	debuginfod_configure(true);
	assert_false(asked(FOUND));
	debuginfod_poll(now);
	assert_false(child_left());
	assert_int_equal(lines_logged(), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_was_found_is_known_from_then_on),
		TEST(what_no_server_has_is_not_asked_for_again_for_an_hour),
		TEST(trouble_is_said_once_and_pauses_everything),
		TEST(what_hangs_is_killed_after_its_time),
		TEST(all_fetches_of_an_hour_have_a_bound),
		TEST(a_fetch_under_way_ends_with_the_agent),
		TEST(objects_have_a_bound),
		TEST(without_being_asked_or_a_server_nothing_is_fetched),
	};
	int failed, fd;

	if (argc == 3 && !strcmp(argv[1], DEBUGINFOD_FETCH))
		return play(argv[2]);
	fd = mkstemp(log_path);
	if (fd < 0)
		return 1;
	close(fd);
	log_init(LOG_LEVEL_WARN, log_path, 0);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	log_release();
	unlink(log_path);
	return failed;
}
