/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/maps.c: real maps, escapes, and what a hostile or truncated text can hold.
 */
#include "agent/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

static void parse(struct maps *maps, const char *text)
{
	assert_int_equal(maps_parse(maps, text, strlen(text)), 0);
}

static void a_line_becomes_an_entry_with_all_its_fields(void **state)
{
	struct maps maps;
	const struct maps_entry *e;

	maps_init(&maps);
	parse(&maps, "7f0012345000-7f0012346000 r-xp 00002000 fd:1f 4711   /usr/lib/a b.so\n");
	assert_int_equal(maps.count, 1);
	e = &maps.entries[0];
	assert_true(e->start == 0x7f0012345000 && e->end == 0x7f0012346000);
	assert_int_equal(e->offset, 0x2000);
	assert_true(e->dev == makedev(0xfd, 0x1f));
	assert_int_equal(e->inode, 4711);
	assert_string_equal(e->path, "/usr/lib/a b.so");
	assert_true(e->readable && e->exec && !e->writable && !e->deleted);
	maps_release(&maps);
}

static void a_newline_in_a_path_is_decoded_and_other_escapes_are_names(void **state)
{
	struct maps maps;

	maps_init(&maps);
	parse(&maps, "1000-2000 r--p 0 0:1 7 /a\\012b\n2000-3000 r--p 0 0:1 8 /c\\040d\\01\n");
	assert_string_equal(maps.entries[0].path, "/a\nb");
	assert_string_equal(maps.entries[1].path, "/c\\040d\\01");
	maps_release(&maps);
}

static void a_deleted_file_is_flagged_and_loses_the_suffix(void **state)
{
	struct maps maps;

	maps_init(&maps);
	parse(&maps, "1000-2000 r-xp 0 0:1 7 /tmp/x.so (deleted)\n2000-3000 r-xp 0 0:0 0 \n");
	assert_true(maps.entries[0].deleted);
	assert_string_equal(maps.entries[0].path, "/tmp/x.so");
	assert_string_equal(maps.entries[1].path, "");
	maps_release(&maps);
}

static void malformed_lines_are_skipped_and_counted(void **state)
{
	static const char *const bad[] = {
	    "",
	    "1000",
	    "1000-",
	    "2000-1000 r-xp 0 0:0 0",
	    "1000-1000 r-xp 0 0:0 0",
	    "g-2000 r-xp 0 0:0 0",
	    "1000-2000 r-x",
	    "1000-2000 r-xp 0 0-0 0",
	    "1000-2000 r-xp 0 0:0 x",
	    "10000000000000000-20000000000000000 r-xp 0 0:0 0",
	    "1000-2000 r-xp ffffffffffffffff 0:0 0",
	    "1000-2000 r-xp 0 100000000:0 0",
	    "1000-2000 r-xp 0 0:0 0x",
	    "1000-2000 r-xp 0 0:0 18446744073709551616",
	};
	struct maps maps;
	char text[256];

	maps_init(&maps);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "%s\n5000-6000 r-xp 0 0:0 0\n", bad[i]);
		maps.malformed = 0;
		parse(&maps, text);
		assert_int_equal(maps.count, 1);
		assert_int_equal(maps.malformed, 1);
		assert_int_equal(maps.entries[0].start, 0x5000);
	}
	maps.malformed = 0;
	assert_int_equal(maps_parse(&maps, "1000-2000 r-xp 0 0:0 0 a\0b\n", 27), 0);
	assert_int_equal(maps.malformed, 1);
	maps_release(&maps);
}

static void unsorted_and_overlapping_lines_become_a_sorted_disjoint_array(void **state)
{
	struct maps maps;

	maps_init(&maps);
	parse(&maps,
	      "5000-6000 r-xp 0 0:0 0 c\n1000-3000 r-xp 0 0:0 0 a\n2000-4000 r-xp 0 0:0 0 b");
	assert_int_equal(maps.count, 2);
	assert_int_equal(maps.malformed, 1);
	assert_string_equal(maps_find(&maps, 0x2fff)->path, "a");
	assert_null(maps_find(&maps, 0x3000));
	assert_null(maps_find(&maps, 0xfff));
	assert_string_equal(maps_find(&maps, 0x5000)->path, "c");
	assert_null(maps_find(&maps, 0x6000));
	maps_release(&maps);
}

static void more_lines_than_the_bound_are_dropped_and_counted(void **state)
{
	size_t lines = MAPS_MAX + 5;
	char *text = malloc(lines * 48), *at = text;
	struct maps maps;

	assert_non_null(text);
	for (size_t i = 0; i < lines; i++)
		at += sprintf(at, "%zx-%zx r-xp 0 0:0 0\n", 0x1000 * (i + 1), 0x1000 * (i + 2));
	maps_init(&maps);
	assert_int_equal(maps_parse(&maps, text, (size_t)(at - text)), 0);
	assert_int_equal(maps.count, MAPS_MAX);
	assert_int_equal(maps.malformed, 5);
	maps_release(&maps);
	free(text);
}

static void own_maps_hold_an_own_function_with_the_inode_of_the_program(void **state)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	const struct maps_entry *e;
	struct maps maps;
	uint64_t generation;
	struct stat st;

	maps_init(&maps);
	assert_int_equal(maps_read_fd(&maps, fd), 0);
	generation = maps.generation;
	assert_int_equal(maps_read_fd(&maps, fd), 0);
	assert_true(maps.generation > generation);
	assert_int_equal(maps.malformed, 0);
	e = maps_find(&maps, (uint64_t)(uintptr_t)maps_parse);
	assert_non_null(e);
	assert_true(e->exec);
	assert_int_equal(stat("/proc/self/exe", &st), 0);
	assert_int_equal(e->inode, st.st_ino);
	maps_release(&maps);
	close(fd);
}

static void an_empty_file_is_a_dead_process_and_the_old_contents_stay(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct maps maps;

	maps_init(&maps);
	parse(&maps, "1000-2000 r-xp 0 0:0 0 a\n");
	assert_int_equal(maps_read_fd(&maps, fd), -ESRCH);
	assert_int_equal(maps.count, 1);
	maps_release(&maps);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_becomes_an_entry_with_all_its_fields),
	    cmocka_unit_test(a_newline_in_a_path_is_decoded_and_other_escapes_are_names),
	    cmocka_unit_test(a_deleted_file_is_flagged_and_loses_the_suffix),
	    cmocka_unit_test(malformed_lines_are_skipped_and_counted),
	    cmocka_unit_test(unsorted_and_overlapping_lines_become_a_sorted_disjoint_array),
	    cmocka_unit_test(more_lines_than_the_bound_are_dropped_and_counted),
	    cmocka_unit_test(own_maps_hold_an_own_function_with_the_inode_of_the_program),
	    cmocka_unit_test(an_empty_file_is_a_dead_process_and_the_old_contents_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
