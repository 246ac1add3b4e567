/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/jitdump.c: the records that name code, in pieces, in a row, and as a hostile file has them.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/jitdump.h"

#if defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#else
#define OWN_MACHINE EM_X86_64
#endif

#define BIG 100000 /* bytes of code: more than is ever fed at once */

static struct {
	uint8_t bytes[2 * BIG];
	size_t n;
} file;

static struct jitdump dump;
static struct jit_code code;

static void put(const void *bytes, size_t n)
{
	assert_true(file.n + n <= sizeof(file.bytes));
	memcpy(file.bytes + file.n, bytes, n);
	file.n += n;
}

static void put32(uint32_t v)
{
	put(&v, sizeof(v));
}

static void put64(uint64_t v)
{
	put(&v, sizeof(v));
}

static void header(uint32_t magic, uint32_t version, uint32_t size, uint32_t machine)
{
	put32(magic);
	put32(version);
	put32(size);
	put32(machine);
	put32(0);
	put32(1234);
	put64(0);
	put64(0);
}

static int begin(void **state)
{
	file.n = 0;
	dump = (struct jitdump){0};
	header(0x4A695444, 1, 40, OWN_MACHINE);
	return 0;
}

static int end(void **state)
{
	jit_code_release(&code);
	return 0;
}

static void prefix(uint32_t id, uint32_t size)
{
	put32(id);
	put32(size);
	put64(0);
}

static void load(uint64_t address, uint64_t size, const char *name)
{
	prefix(0, (uint32_t)(56 + strlen(name) + 1 + size));
	put32(1234);
	put32(1234);
	put64(address);
	put64(address);
	put64(size);
	put64(1);
	put(name, strlen(name) + 1);
	memset(file.bytes + file.n, 0xcc, size);
	file.n += size;
}

static void move(uint64_t from, uint64_t to, uint64_t size)
{
	prefix(1, 64);
	put64(0);
	put64(to);
	put64(from);
	put64(to);
	put64(size);
	put64(1);
}

static void debug_info(uint64_t address, const char *path, uint32_t line)
{
	prefix(2, (uint32_t)(32 + 16 + strlen(path) + 1));
	put64(address);
	put64(1);
	put64(address);
	put32(line);
	put32(0);
	put(path, strlen(path) + 1);
}

/* All that there is, at most step bytes at a time. The result of the last feed. */
static ssize_t feed_by(size_t step)
{
	ssize_t used = 1;
	size_t at = 0;

	while (used > 0 && at < file.n) {
		size_t left = file.n - at;

		used =
		    jitdump_feed(&dump, file.bytes + at, left < step ? left : step, at, &code, 0);
		at += used > 0 ? (size_t)used : 0;
	}
	return used;
}

static void assert_name(uint64_t pc, const char *name)
{
	const struct jit_entry *e = jit_code_find(&code, pc);

	assert_non_null(e);
	assert_int_equal(e->length, strlen(name));
	assert_memory_equal(file.bytes + e->text, name, e->length);
}

static void loaded_code_has_its_name_and_its_bytes_are_passed_over(void **state)
{
	load(0x1000, 0x80, "first");
	load(0x2000, BIG, "second");
	prefix(4, 16 + 8); /* unwinding info */
	put64(0);
	load(0x30000, 0x10, "third");
	assert_true(feed_by(JITDUMP_LOOK_MAX) > 0);
	assert_int_equal(dump.malformed, 0);
	assert_name(0x1000, "first");
	assert_name(0x107f, "first");
	assert_null(jit_code_find(&code, 0x1080));
	assert_name(0x2000 + BIG - 1, "second");
	assert_name(0x3000f, "third");
}

static void debug_information_belongs_to_the_code_after_it(void **state)
{
	const struct jit_entry *e;
	const char *path;
	size_t length;
	int64_t line;

	debug_info(0x1000, "/srv/app.js", 17);
	load(0x1000, 0x80, "with");
	load(0x2000, 0x80, "without");
	debug_info(0x5000, "/srv/other.js", 1);
	load(0x3000, 0x80, "another's");
	feed_by(sizeof(file.bytes));
	assert_int_equal(dump.malformed, 0);
	assert_int_equal(jit_code_find(&code, 0x2000)->debug, 0);
	assert_int_equal(jit_code_find(&code, 0x3000)->debug, 0);
	e = jit_code_find(&code, 0x1000);
	assert_int_not_equal(e->debug, 0);
	jitdump_debug(file.bytes + e->debug, file.n - e->debug, &path, &length, &line);
	assert_int_equal(length, 11);
	assert_memory_equal(path, "/srv/app.js", 11);
	assert_int_equal(line, 17);
}

static void debug_information_that_is_cut_says_nothing(void **state)
{
	uint8_t bytes[18] = {
	    [8] = 0xff, [9] = 0xff, [10] = 0xff, [11] = 0xff, [16] = 'x', [17] = 'y'};
	const char *path;
	size_t length;
	int64_t line;

	for (size_t n = 0; n <= 16; n++) {
		jitdump_debug(bytes, n, &path, &length, &line);
		assert_null(path);
		assert_int_equal(line, 0);
	}
	jitdump_debug(bytes, sizeof(bytes), &path, &length, &line);
	assert_ptr_equal(path, bytes + 16);
	assert_int_equal(length, 2);
	assert_int_equal(line, 0);
}

static void moved_code_is_found_where_it_went(void **state)
{
	load(0x1000, 0x80, "mover");
	move(0x1000, 0x9000, 0x80);
	load(0x1000, 0x80, "tenant");
	move(0x7777, 0x8000, 0x10); /* from nowhere */
	feed_by(sizeof(file.bytes));
	assert_name(0x9000, "mover");
	assert_name(0x907f, "mover");
	assert_name(0x1000, "tenant");
	assert_null(jit_code_find(&code, 0x8000));
	assert_int_equal(dump.malformed, 1);
}

static void a_dump_that_is_still_written_is_read_as_far_as_it_goes(void **state)
{
	size_t whole, at = 0;

	load(0x1000, 0x10, "first");
	load(0x2000, 0x10, "second");
	whole = file.n;
	for (size_t n = 0; n <= whole; n++) {
		ssize_t used =
		    at < n ? jitdump_feed(&dump, file.bytes + at, n - at, at, &code, 0) : 0;

		assert_true(used >= 0);
		at += (size_t)used;
	}
	assert_int_equal(at, whole);
	assert_name(0x1000, "first");
	assert_name(0x2000, "second");
	assert_int_equal(dump.malformed, 0);
}

static void assert_refused(uint32_t magic, uint32_t version, uint32_t size, uint32_t machine)
{
	file.n = 0;
	dump = (struct jitdump){0};
	header(magic, version, size, machine);
	assert_int_equal(feed_by(sizeof(file.bytes)), -EBADMSG);
}

static void another_byte_order_version_or_machine_is_refused(void **state)
{
	assert_refused(0x4454694A, 0x01000000, 0x28000000, OWN_MACHINE);
	assert_refused(0x4454694A, 1, 40, OWN_MACHINE);
	assert_refused(0, 1, 40, OWN_MACHINE);
	assert_refused(0x4A695444, 0, 40, OWN_MACHINE);
	assert_refused(0x4A695444, 2, 40, OWN_MACHINE);
	assert_refused(0x4A695444, 1, 39, OWN_MACHINE);
	assert_refused(0x4A695444, 1, 40, EM_S390);
}

static void a_record_shorter_than_its_frame_ends_the_reading(void **state)
{
	load(0x1000, 0x10, "first");
	prefix(0, 15);
	load(0x2000, 0x10, "second");
	assert_int_equal(feed_by(sizeof(file.bytes)), -EBADMSG);
	assert_name(0x1000, "first");
	assert_null(jit_code_find(&code, 0x2000));
}

static void records_that_make_no_sense_are_passed_over_and_counted(void **state)
{
	prefix(0, 16);
	prefix(0, 56); /* without a name */
	for (int i = 0; i < 5; i++)
		put64(0);
	prefix(1, 16);
	prefix(2, 16);
	prefix(2, 32);
	put64(0x1000);
	put64(7); /* entries that are not there */
	load(0x1000, 0, "nothing");
	load(UINT64_MAX - 7, 7, "the end");
	load(UINT64_MAX - 7, 8, "beyond");
	load(0x4000, 0x10, "");
	load(0x3000, 0x10, "good");
	assert_true(feed_by(sizeof(file.bytes)) > 0);
	assert_int_equal(dump.malformed, 8);
	assert_name(0x3000, "good");
	assert_name(UINT64_MAX - 1, "the end");
	assert_int_equal(code.count, 2);
}

static void a_name_without_an_end_is_cut_at_its_record(void **state)
{
	prefix(0, 60);
	put64(0);
	put64(0x1000);
	put64(0x1000);
	put64(0x10);
	put64(1);
	put("abcd", 4);
	load(0x2000, 0x10, "next");
	feed_by(sizeof(file.bytes));
	assert_name(0x1000, "abcd");
	assert_name(0x2000, "next");
}

static void a_long_name_is_looked_at_up_to_a_bound(void **state)
{
	char name[2 * JIT_TEXT_MAX];

	memset(name, 'x', sizeof(name) - 1);
	for (size_t n = JIT_TEXT_MAX - 1; n <= JIT_TEXT_MAX + 64; n++) {
		begin(state);
		name[n] = 0;
		load(0x1000, 0x10, name);
		assert_true(feed_by(sizeof(file.bytes)) > 0);
		assert_int_equal(jit_code_find(&code, 0x1000)->length,
				 n < JIT_TEXT_MAX ? n : JIT_TEXT_MAX);
		name[n] = 'x';
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(loaded_code_has_its_name_and_its_bytes_are_passed_over),
	    TEST(debug_information_belongs_to_the_code_after_it),
	    TEST(debug_information_that_is_cut_says_nothing),
	    TEST(moved_code_is_found_where_it_went),
	    TEST(a_dump_that_is_still_written_is_read_as_far_as_it_goes),
	    TEST(another_byte_order_version_or_machine_is_refused),
	    TEST(a_record_shorter_than_its_frame_ends_the_reading),
	    TEST(records_that_make_no_sense_are_passed_over_and_counted),
	    TEST(a_name_without_an_end_is_cut_at_its_record),
	    TEST(a_long_name_is_looked_at_up_to_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
