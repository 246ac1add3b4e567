/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of agent/sink.c, each in a directory of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sink.h"

static char dir[PATH_MAX / 2];

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/spanprof-sink-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static unsigned files_in(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return n;
}

static int remove_dir(void **state)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void check_content(const char *path, const char *expected)
{
	char got[64] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_int_equal(fread(got, 1, sizeof(got) - 1, f), strlen(expected));
	assert_string_equal(got, expected);
	fclose(f);
}

static void a_profile_is_named_by_service_kind_and_time(void **state)
{
	char path[PATH_MAX], expected[PATH_MAX];
	struct stat st;

	assert_int_equal(
	    sink_write(dir, "shop", "cpu", 1700000000123, "abc", 3, path, sizeof(path)), 0);
	snprintf(expected, sizeof(expected), "%s/shop-cpu-1700000000123.pb.gz", dir);
	assert_string_equal(path, expected);
	check_content(path, "abc");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_mode & 0133, 0);
	assert_int_equal(files_in(dir), 1);
}

static void an_existing_file_is_never_replaced(void **state)
{
	char first[PATH_MAX], second[PATH_MAX], expected[PATH_MAX];

	assert_int_equal(sink_write(dir, "s", "cpu", 5, "one", 3, first, sizeof(first)), 0);
	assert_int_equal(sink_write(dir, "s", "cpu", 5, "two", 3, second, sizeof(second)), 0);
	snprintf(expected, sizeof(expected), "%s/s-cpu-6.pb.gz", dir);
	assert_string_equal(second, expected);
	check_content(first, "one");
	check_content(second, "two");
	assert_int_equal(files_in(dir), 2);
}

static void a_missing_directory_is_made_one_level_deep(void **state)
{
	char below[PATH_MAX], deeper[PATH_MAX];

	snprintf(below, sizeof(below), "%s/new", dir);
	snprintf(deeper, sizeof(deeper), "%s/a/b", dir);
	assert_int_equal(sink_write(below, "s", "cpu", 1, "x", 1, NULL, 0), 0);
	assert_int_equal(files_in(below), 1);
	assert_int_equal(sink_write(deeper, "s", "cpu", 1, "x", 1, NULL, 0), -ENOENT);
}

static void odd_service_names_stay_one_visible_file_name(void **state)
{
	static const char *const cases[][2] = {
	    {"../../etc/x", "_._.._etc_x"}, {"a/b\n\x7f", "a_b__"},
	    {".hidden", "_hidden"},	    {"", "unknown"},
	    {"caf\xc3\xa9", "caf\xc3\xa9"},
	};
	char path[PATH_MAX], expected[PATH_MAX];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(sink_write(dir, cases[i][0], "cpu", 1, "x", 1, path, sizeof(path)),
				 0);
		snprintf(expected, sizeof(expected), "%s/%s-cpu-1.pb.gz", dir, cases[i][1]);
		assert_string_equal(path, expected);
	}
}

static void a_long_service_name_is_cut_between_characters(void **state)
{
	char name[600] = "", path[PATH_MAX];

	memset(name, 'n', SINK_SERVICE_MAX - 1);
	strcat(name, "\xc3\xa9\xc3\xa9");
	assert_int_equal(sink_write(dir, name, "cpu", 1, "x", 1, path, sizeof(path)), 0);
	assert_string_equal(path + strlen(dir) + 1 + SINK_SERVICE_MAX - 1, "-cpu-1.pb.gz");
	memset(name, 'n', sizeof(name) - 1);
	assert_int_equal(sink_write(dir, name, "cpu", 1, "x", 1, path, sizeof(path)), 0);
}

static void a_failed_write_leaves_nothing_behind(void **state)
{
	struct rlimit old, small = {.rlim_cur = 4096};
	char *big = calloc(1, 10000);
	int err;

	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	err = sink_write(dir, "s", "cpu", 1, big, 10000, NULL, 0);
	setrlimit(RLIMIT_FSIZE, &old);
	free(big);
	assert_int_equal(err, -EFBIG);
	assert_int_equal(files_in(dir), 0);
}

static void a_path_that_cannot_be_told_is_an_error_and_leaves_nothing(void **state)
{
	char path[8];

	assert_int_equal(sink_write(dir, "s", "cpu", 1, "x", 1, path, sizeof(path)), -ENAMETOOLONG);
	assert_int_equal(files_in(dir), 0);
}

static void a_file_in_place_of_the_directory_is_an_error(void **state)
{
	char path[PATH_MAX];

	assert_int_equal(sink_write(dir, "s", "cpu", 1, "x", 1, path, sizeof(path)), 0);
	assert_int_equal(sink_write(path, "s", "cpu", 1, "x", 1, NULL, 0), -ENOTDIR);
}

static void a_planted_link_is_not_followed(void **state)
{
	char temp[PATH_MAX], victim[PATH_MAX], path[PATH_MAX];

	snprintf(victim, sizeof(victim), "%s/victim", dir);
	snprintf(temp, sizeof(temp), "%s/.spanprof-%d-0.tmp", dir, (int)getpid());
	assert_int_equal(symlink(victim, temp), 0);
	assert_int_equal(sink_write(dir, "s", "cpu", 1, "x", 1, path, sizeof(path)), 0);
	assert_int_equal(access(victim, F_OK), -1);
	check_content(path, "x");
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_DIR(a_profile_is_named_by_service_kind_and_time),
	    IN_DIR(an_existing_file_is_never_replaced),
	    IN_DIR(a_missing_directory_is_made_one_level_deep),
	    IN_DIR(odd_service_names_stay_one_visible_file_name),
	    IN_DIR(a_long_service_name_is_cut_between_characters),
	    IN_DIR(a_failed_write_leaves_nothing_behind),
	    IN_DIR(a_path_that_cannot_be_told_is_an_error_and_leaves_nothing),
	    IN_DIR(a_file_in_place_of_the_directory_is_an_error),
	    IN_DIR(a_planted_link_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
