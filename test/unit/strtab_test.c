/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof/strtab.c: numbering, deduplication, growth, UTF-8 repair, and memory that runs out at any
 * point. The module is compiled into this file, so that its allocations can be made to fail.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

static long allocations_left = -1; /* below 0: as many as wanted */

static int out_of_memory(void)
{
	return allocations_left >= 0 && allocations_left-- == 0;
}

static void *scarce_realloc(void *old, size_t size)
{
	return out_of_memory() ? NULL : realloc(old, size);
}

static void *scarce_calloc(size_t n, size_t size)
{
	return out_of_memory() ? NULL : calloc(n, size);
}

#undef strdup
#define malloc(size) scarce_realloc(NULL, size)
#define realloc scarce_realloc
#define calloc scarce_calloc
#define strdup(text) (out_of_memory() ? NULL : (strdup)(text))
#include "pprof/strtab.c"
#undef malloc
#undef realloc
#undef calloc
#undef strdup

static struct pprof_strtab table;

static int setup(void **state)
{
	allocations_left = -1;
	return pprof_strtab_init(&table);
}

static int teardown(void **state)
{
	pprof_strtab_release(&table);
	return 0;
}

static void index_0_is_the_empty_string(void **state)
{
	assert_int_equal(table.n, 1);
	assert_string_equal(table.strings[0], "");
	assert_int_equal(pprof_strtab_intern(&table, ""), 0);
	assert_int_equal(pprof_strtab_intern(&table, NULL), 0);
	assert_int_equal(table.n, 1);
}

static void equal_strings_share_an_index(void **state)
{
	char copy[] = "main";

	assert_int_equal(pprof_strtab_intern(&table, "main"), 1);
	assert_int_equal(pprof_strtab_intern(&table, "mai"), 2);
	assert_int_equal(pprof_strtab_intern(&table, copy), 1);
	assert_int_equal(table.n, 3);
}

static void the_table_owns_its_strings(void **state)
{
	char name[] = "before";
	int64_t i = pprof_strtab_intern(&table, name);

	memcpy(name, "after!", sizeof(name));
	assert_string_equal(table.strings[i], "before");
	assert_int_equal(table.entries[i].len, 6);
}

static void indices_survive_growth(void **state)
{
	char name[32];

	for (int i = 1; i <= 20000; i++) {
		snprintf(name, sizeof(name), "function_%d", i);
		assert_int_equal(pprof_strtab_intern(&table, name), i);
	}
	for (int i = 1; i <= 20000; i++) {
		snprintf(name, sizeof(name), "function_%d", i);
		assert_int_equal(pprof_strtab_intern(&table, name), i);
		assert_string_equal(table.strings[i], name);
	}
	assert_int_equal(table.n, 20001);
	assert_true(table.n <= table.n_slots / 2);
}

static void byte_rows_may_hold_zeros(void **state)
{
	const uint64_t a[] = {0, 0, 1}, b[] = {0, 0, 2}, c[] = {0, 0};

	assert_int_equal(pprof_strtab_intern_bytes(&table, a, sizeof(a)), 1);
	assert_int_equal(pprof_strtab_intern_bytes(&table, b, sizeof(b)), 2);
	assert_int_equal(pprof_strtab_intern_bytes(&table, c, sizeof(c)), 3);
	assert_int_equal(pprof_strtab_intern_bytes(&table, a, sizeof(a)), 1);
	assert_memory_equal(table.strings[2], b, sizeof(b));
}

static void expect_text(const char *in, const char *out)
{
	int64_t i = pprof_strtab_intern(&table, in);

	assert_true(i >= 0);
	assert_string_equal(table.strings[i], out);
	assert_int_equal(table.entries[i].len, strlen(out));
}

static void valid_utf8_is_kept(void **state)
{
	expect_text("gr\xc3\xb6\xc3\x9f", "gr\xc3\xb6\xc3\x9f");
	expect_text("\xe2\x82\xac", "\xe2\x82\xac");
	expect_text("\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80");
	expect_text("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

static void each_byte_that_is_no_utf8_becomes_a_question_mark(void **state)
{
	expect_text("a\xff!", "a?!");
	expect_text("\x80\xbf", "??");
	expect_text("overlong \xc0\x80 \xc1\xbf \xe0\x9f\xbf \xf0\x8f\xbf\xbf",
		    "overlong ?? ?? ??? ????");
	expect_text("surrogate \xed\xa0\x80", "surrogate ???");
	expect_text("too far \xf4\x90\x80\x80 \xf5\x80\x80\x80", "too far ???? ????");
	expect_text("cut \xe2\x82", "cut ??");
	expect_text("cut \xf0\x9f\x98", "cut ???");
	expect_text("\xe2\x28\xa1\xc3\xb6", "?(?\xc3\xb6");
}

static void repaired_text_shares_the_index_of_its_equal(void **state)
{
	int64_t i = pprof_strtab_intern(&table, "a?!");

	assert_int_equal(pprof_strtab_intern(&table, "a\xff!"), i);
	assert_int_equal(pprof_strtab_intern(&table, "a\xfe!"), i);
}

static void init_without_memory_fails_clean(void **state)
{
	struct pprof_strtab t;

	for (long n = 0; n < 4; n++) {
		allocations_left = n;
		assert_int_equal(pprof_strtab_init(&t), -ENOMEM);
		pprof_strtab_release(&t);
	}
}

/* Every single allocation is refused once; the string must then be absent, and fit next time. */
static void a_refused_string_leaves_the_table_as_it_was(void **state)
{
	int refusals = 0;
	char name[32];

	for (int i = 1; i <= 2000; i++) {
		snprintf(name, sizeof(name), i % 2 ? "name %d" : "name %d\xff", i);
		for (long n = 0;; n++) {
			int64_t got;

			allocations_left = n;
			got = pprof_strtab_intern(&table, name);
			allocations_left = -1;
			if (got == i)
				break;
			refusals++;
			assert_int_equal(got, -ENOMEM);
			assert_int_equal(table.n, i);
		}
	}
	assert_int_equal(pprof_strtab_intern(&table, "name 1"), 1);
	assert_int_equal(pprof_strtab_intern(&table, "name 2?"), 2);
	assert_true(refusals > 3000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(index_0_is_the_empty_string),
	    TEST(equal_strings_share_an_index),
	    TEST(the_table_owns_its_strings),
	    TEST(indices_survive_growth),
	    TEST(byte_rows_may_hold_zeros),
	    TEST(valid_utf8_is_kept),
	    TEST(each_byte_that_is_no_utf8_becomes_a_question_mark),
	    TEST(repaired_text_shares_the_index_of_its_equal),
	    TEST(init_without_memory_fails_clean),
	    TEST(a_refused_string_leaves_the_table_as_it_was),
	};

	return cmocka_run_group_tests_name("strtab", tests, NULL, NULL);
}
