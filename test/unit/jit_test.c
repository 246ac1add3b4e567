/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/jit.c, jit_file.c and jit_names.c: files of this very process, and of others who put them
 * there; files that grow, shrink and are written anew; names no terminal should see. A perf map is
 * where its writers put it, in /tmp; the tests take theirs away again.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/jit.h"
#include "agent/jit_file.h"
#include "agent/jit_names.h"

#define SECOND 1000000000ULL

static struct jit *jit;
static struct client client;
static struct process process;
static struct maps maps;
static struct maps_entry mapping;
static char map_path[64], dump_path[64];
static uint64_t now = 100 * SECOND;

static int begin(void **state)
{
	snprintf(map_path, sizeof(map_path), "/tmp/perf-%d.map", (int)getpid());
	snprintf(dump_path, sizeof(dump_path), "/tmp/jit-%d.dump", (int)getpid());
	unlink(map_path);
	unlink(dump_path);
	jit = jit_new();
	process = (struct process){.pid = getpid(), .pidfd = -1, .maps_fd = -1};
	maps = (struct maps){.generation = 1};
	return jit ? 0 : -1;
}

static int end(void **state)
{
	jit_process_free(process.jit);
	jit_free(jit);
	unlink(map_path);
	unlink(dump_path);
	return 0;
}

static void write_map(const char *text, int flags)
{
	int fd = open(map_path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* The name of the code at pc so many nanoseconds later, or NULL. */
static const char *name_at(uint64_t pc, uint64_t later)
{
	struct symbol_frame symbol;
	struct frame frame;

	now += later;
	if (!jit_frame(jit, &client, &process, &maps, pc, now, &frame))
		return NULL;
	assert_true(jit_resolve(&frame, &symbol));
	assert_string_equal(symbol.name, symbol.system_name);
	return symbol.name;
}

static void a_perf_map_names_the_code_of_its_process(void **state)
{
	assert_null(name_at(0x1000, 0));
	write_map("1000 10 first\n", O_TRUNC);
	assert_null(name_at(0x1000, SECOND / 2)); /* no file: not looked for again at once */
	assert_string_equal(name_at(0x1000, SECOND), "first");
	assert_null(name_at(0x1010, 0));
}

static void what_is_added_is_read_at_once_if_it_is_missed_else_within_a_second(void **state)
{
	write_map("1000 10 first\n", O_TRUNC);
	assert_string_equal(name_at(0x1000, SECOND), "first");
	write_map("2000 10 second\n1000 10 third\n30", O_APPEND);
	assert_string_equal(name_at(0x1000, SECOND / 2), "first");
	assert_string_equal(name_at(0x2000, 0), "second");
	assert_string_equal(name_at(0x1000, 0), "third");
	write_map("00 10 fourth\n1000 10 fifth\n", O_APPEND);
	assert_string_equal(name_at(0x1000, SECOND / 2), "third");
	assert_string_equal(name_at(0x1000, SECOND), "fifth");
	assert_string_equal(name_at(0x3000, 0), "fourth");
}

static void a_map_that_is_written_anew_is_read_anew(void **state)
{
	write_map("1000 10 first\n2000 10 second\n", O_TRUNC);
	assert_string_equal(name_at(0x2000, SECOND), "second");
	write_map("1000 10 other\n", O_TRUNC);
	name_at(0x1000, SECOND);
	assert_string_equal(name_at(0x1000, SECOND), "other");
	assert_null(name_at(0x2000, 0));
	/* Longer than before, and its lines end elsewhere. */
	write_map("2000 10 a name that is longer than all the text before\n", O_TRUNC);
	name_at(0x1000, SECOND);
	assert_null(name_at(0x1000, SECOND));
	assert_string_equal(name_at(0x2000, 0), "a name that is longer than all the text before");
}

static void a_link_a_fifo_and_a_directory_are_no_maps(void **state)
{
	struct jit_owner owner;

	jit_owner_read(&owner, getpid(), getpid());
	assert_int_equal(jit_open_perfmap(&owner), -ENOENT);
	assert_int_equal(symlink("/proc/self/maps", map_path), 0);
	assert_int_equal(jit_open_perfmap(&owner), -EPERM);
	unlink(map_path);
	assert_int_equal(mkfifo(map_path, 0600), 0);
	assert_int_equal(jit_open_perfmap(&owner), -EPERM);
	unlink(map_path);
	assert_int_equal(mkdir(map_path, 0700), 0);
	assert_int_equal(jit_open_perfmap(&owner), -EPERM);
	rmdir(map_path);
}

static void another_users_file_is_no_map_and_roots_only_if_it_is_no_secret(void **state)
{
	struct jit_owner owner;
	int fd;

	jit_owner_read(&owner, getpid(), getpid());
	assert_int_equal(owner.uid, geteuid());
	write_map("1000 10 first\n", O_TRUNC);
	owner.uid++;
	chmod(map_path, 0600);
	assert_int_equal(jit_open_perfmap(&owner), -EPERM);
	chmod(map_path, 0644);
	fd = jit_open_perfmap(&owner);
	assert_true(geteuid() == 0 ? fd >= 0 : fd == -EPERM);
	if (fd >= 0)
		close(fd);
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(map_path, 65534, 65534), 0);
	assert_int_equal(jit_open_perfmap(&owner), -EPERM);
}

static void a_map_older_than_its_process_is_a_predecessors(void **state)
{
	struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	struct jit_owner owner;

	jit_owner_read(&owner, getpid(), getpid());
	write_map("1000 10 first\n", O_TRUNC);
	assert_int_equal(utimensat(AT_FDCWD, map_path, times, 0), 0);
	assert_int_equal(jit_open_perfmap(&owner), -EPERM);
}

static void an_owner_that_is_gone_is_taken_for_our_own_user(void **state)
{
	struct jit_owner owner;

	jit_owner_read(&owner, -1, 4711);
	assert_int_equal(owner.own_pid, 4711);
	assert_int_equal(owner.uid, geteuid());
	jit_owner_read(&owner, getpid(), 4711);
	assert_int_equal(owner.own_pid, getpid());
}

static void write_dump(uint32_t magic)
{
	static const char name[] = "dumped";
	const uint32_t header[] = {magic, 1, 40, EM_X86_64, 0, 0, 0, 0, 0, 0};
	const uint32_t debug[] = {2, 32 + 16 + 8, 0, 0, 0x5000, 0, 1, 0, 0x5000, 0, 23, 0};
	const uint32_t load[] = {0, 56 + sizeof(name), 0, 0, 1, 1, 0x5000, 0, 0x5000, 0, 0x10, 0, 1,
				 0};
	FILE *f = fopen(dump_path, "we");

	assert_non_null(f);
	fwrite(header, sizeof(header), 1, f);
	fwrite(debug, sizeof(debug), 1, f);
	fwrite("/srv/js", 8, 1, f);
	fwrite(load, sizeof(load), 1, f);
	fwrite(name, sizeof(name), 1, f);
	fclose(f);
}

static void map_dump(bool exec)
{
	struct stat st;

	assert_int_equal(stat(dump_path, &st), 0);
	mapping = (struct maps_entry){.start = 0x7000,
				      .end = 0x8000,
				      .dev = st.st_dev,
				      .inode = st.st_ino,
				      .path = dump_path,
				      .exec = exec};
	maps = (struct maps){.entries = &mapping, .count = 1, .generation = maps.generation + 1};
}

static void a_dump_is_found_by_its_executable_mapping(void **state)
{
	struct symbol_frame symbol;
	struct frame frame;

	write_dump(0x4A695444);
	assert_null(name_at(0x5000, SECOND));
	map_dump(false);
	assert_null(name_at(0x5000, SECOND));
	map_dump(true);
	assert_true(jit_frame(jit, &client, &process, &maps, 0x5000, now += SECOND, &frame));
	assert_true(jit_resolve(&frame, &symbol));
	assert_string_equal(symbol.name, "dumped");
	assert_string_equal(symbol.file, "/srv/js");
	assert_int_equal(symbol.start_line, 23);
}

static void a_dump_that_makes_no_sense_is_given_up_and_the_map_is_not(void **state)
{
	write_dump(0x4454694A);
	map_dump(true);
	write_map("1000 10 first\n", O_TRUNC);
	assert_null(name_at(0x5000, SECOND));
	assert_string_equal(name_at(0x1000, SECOND), "first");
	assert_null(name_at(0x5000, SECOND));
}

static void equal_names_of_two_processes_are_one_frame(void **state)
{
	struct process other = {.pid = getpid(), .pidfd = -1};
	struct frame a, b;

	write_map("1000 10 same\n2000 10 same\n", O_TRUNC);
	assert_true(jit_frame(jit, &client, &process, &maps, 0x1000, now, &a));
	assert_true(jit_frame(jit, &client, &other, &maps, 0x2000, now, &b));
	assert_true(a.module == b.module && a.vaddr == b.vaddr && a.exact == b.exact);
	jit_process_free(other.jit);
}

static void other_frames_are_not_ours_to_name(void **state)
{
	struct module anon = {.name = "[anon]", .anon = true};
	struct frame frame = {&anon, 1, true};
	struct symbol_frame symbol;

	assert_false(jit_resolve(&frame, &symbol));
}

static const struct {
	const char *dirty, *clean;
} names[] = {
    {"plain", "plain"},
    {"a\tb\x1b[31m\x7f\r", "ab[31m"},
    {"caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80"},
    {"\xc2\x85|\xc2\xa0", "|\xc2\xa0"},			      /* a control character; a blank */
    {"\xff|\xc3", "\xef\xbf\xbd|\xef\xbf\xbd"},		      /* no lead byte; the end is missing */
    {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},		      /* overlong */
    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* half a surrogate pair */
    {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
};

static void names_are_repaired(void **state)
{
	char out[JIT_NAME_MAX + 1], lengthy[2 * JIT_NAME_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		jit_names_clean(out, names[i].dirty, strlen(names[i].dirty));
		assert_string_equal(out, names[i].clean);
	}
	/* Cut between characters, never within one. */
	for (size_t i = 0; i < sizeof(lengthy); i++)
		lengthy[i] = i % 3 == 0 ? '\xe6' : i % 3 == 1 ? '\x97' : '\xa5';
	assert_int_equal(jit_names_clean(out, lengthy, sizeof(lengthy)), JIT_NAME_MAX / 3 * 3);
}

static void names_are_kept_once_and_up_to_a_bound(void **state)
{
	struct jit_names *table = jit_names_new();
	uint32_t first, other;
	char name[16];

	assert_non_null(table);
	first = jit_names_put(table, "a", 1, NULL, 0, 0);
	assert_int_equal(jit_names_put(table, "a\n", 2, NULL, 0, 0), first);
	other = jit_names_put(table, "a", 1, "f", 1, 7);
	assert_int_not_equal(other, first);
	assert_string_equal(jit_names_get(table, other)->file, "f");
	assert_null(jit_names_get(table, first)->file);
	assert_int_equal(jit_names_put(table, "\x01", 1, NULL, 0, 0), JIT_NAME_OTHER);
	for (int i = 0; i < 2 * JIT_NAMES_MAX; i++) {
		int n = snprintf(name, sizeof(name), "n%d", i);

		jit_names_put(table, name, (size_t)n, NULL, 0, 0);
	}
	assert_int_equal(jit_names_count(table), JIT_NAMES_MAX);
	assert_int_equal(jit_names_put(table, "a", 1, NULL, 0, 0), first);
	assert_int_equal(jit_names_put(table, "new", 3, NULL, 0, 0), JIT_NAME_OTHER);
	assert_string_equal(jit_names_get(table, JIT_NAME_OTHER)->name, "[jit]");
	assert_string_equal(jit_names_get(table, UINT32_MAX)->name, "[jit]");
	jit_names_free(table);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_perf_map_names_the_code_of_its_process),
	    TEST(what_is_added_is_read_at_once_if_it_is_missed_else_within_a_second),
	    TEST(a_map_that_is_written_anew_is_read_anew),
	    TEST(a_link_a_fifo_and_a_directory_are_no_maps),
	    TEST(another_users_file_is_no_map_and_roots_only_if_it_is_no_secret),
	    TEST(a_map_older_than_its_process_is_a_predecessors),
	    TEST(an_owner_that_is_gone_is_taken_for_our_own_user),
	    TEST(a_dump_is_found_by_its_executable_mapping),
	    TEST(a_dump_that_makes_no_sense_is_given_up_and_the_map_is_not),
	    TEST(equal_names_of_two_processes_are_one_frame),
	    TEST(other_frames_are_not_ours_to_name),
	    TEST(names_are_repaired),
	    TEST(names_are_kept_once_and_up_to_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
