/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/symbol_perfmap.c and the ranges it fills (agent/jit_code.c): lines as runtimes write them,
 * what a hostile or half-written file can hold, and code that takes the place of older code.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/symbol_perfmap.h"

static struct perfmap map;
static struct jit_code code;

static int begin(void **state)
{
	map = (struct perfmap){0};
	return 0;
}

static int end(void **state)
{
	jit_code_release(&code);
	return 0;
}

static size_t feed(const char *text)
{
	return perfmap_feed(&map, text, strlen(text), 0, &code, 0);
}

/* What stands in text where the entry at pc says that its name is. */
static void assert_name(const char *text, uint64_t pc, const char *name)
{
	const struct jit_entry *e = jit_code_find(&code, pc);

	if (!name) {
		assert_null(e);
		return;
	}
	assert_non_null(e);
	assert_int_equal(e->length, strlen(name));
	assert_memory_equal(text + e->text, name, e->length);
}

static void lines_of_node_python_the_jvm_and_dotnet_name_their_ranges(void **state)
{
	static const char text[] = "7f10e5c00080 1a4 JS:*fib /srv/app.js:1:17\n"
				   "7f10e5c00300 40 JS:~ node:internal/main/run_main_module:1:1\n"
				   "7f4a3c2d5000 b py::serve:/srv/app.py\n"
				   "0x7f4a3c2d500b b py::<module>:/srv/a b.py\n"
				   "0x00007F4A40000000 0x20 int Spin.fib(int)\n"
				   "00007F0E2C1A0000 3A int32 [app] Spin::Fib(int32)[Tier0]\n";

	assert_int_equal(feed(text), strlen(text));
	assert_int_equal(map.malformed, 0);
	assert_name(text, 0x7f10e5c00080, "JS:*fib /srv/app.js:1:17");
	assert_name(text, 0x7f10e5c00223, "JS:*fib /srv/app.js:1:17");
	assert_name(text, 0x7f10e5c00224, NULL);
	assert_name(text, 0x7f10e5c00300, "JS:~ node:internal/main/run_main_module:1:1");
	assert_name(text, 0x7f4a3c2d500a, "py::serve:/srv/app.py");
	assert_name(text, 0x7f4a3c2d500b, "py::<module>:/srv/a b.py");
	assert_name(text, 0x7f4a4000001f, "int Spin.fib(int)");
	assert_name(text, 0x7f4a40000020, NULL);
	assert_name(text, 0x7f0e2c1a0039, "int32 [app] Spin::Fib(int32)[Tier0]");
}

static void malformed_lines_are_skipped_and_counted(void **state)
{
	static const char *const bad[] = {
	    "\n",
	    "1000\n",
	    "1000 10\n",
	    "1000 10 \n",
	    "g 10 a\n",
	    "1000 g a\n",
	    "1000 0 a\n",
	    "10000000000000000 10 a\n",
	    "fffffffffffffff0 11 a\n",
	    " 1000 10 a\n",
	    "0x 10 a\n",
	    "1000\t10 a\n",
	    "-1000 10 a\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(feed(bad[i]), strlen(bad[i]));
		assert_int_equal(map.malformed, i + 1);
	}
	assert_int_equal(code.count, 0);
}

static void a_line_counts_once_it_is_whole_however_it_comes(void **state)
{
	static const char text[] = "1000 10 first\n2000 10 second\n";

	for (size_t cut = 0; cut <= strlen(text); cut++) {
		size_t used = perfmap_feed(&map, text, cut, 0, &code, 0);

		assert_int_equal(used, cut < 14 ? 0 : cut < strlen(text) ? 14 : strlen(text));
		used += perfmap_feed(&map, text + used, strlen(text) - used, used, &code, 0);
		assert_int_equal(used, strlen(text));
		assert_name(text, 0x1000, "first");
		assert_name(text, 0x200f, "second");
		jit_code_release(&code);
	}
	assert_int_equal(map.malformed, 0);
}

static void a_line_without_an_end_is_skipped_and_the_next_one_read(void **state)
{
	static char text[3 * PERFMAP_LINE_MAX];

	memset(text, 'x', sizeof(text));
	memcpy(text, "1000 10 ", 8);
	assert_int_equal(perfmap_feed(&map, text, PERFMAP_LINE_MAX, 0, &code, 0), 0);
	assert_int_equal(perfmap_feed(&map, text, sizeof(text), 0, &code, 0), sizeof(text));
	assert_int_equal(feed("y\n2000 10 next\n"), 15);
	assert_int_equal(map.malformed, 1);
	assert_null(jit_code_find(&code, 0x1000));
	assert_non_null(jit_code_find(&code, 0x2000));
}

static void a_long_name_is_looked_at_up_to_a_bound(void **state)
{
	char text[JIT_TEXT_MAX + 100];

	memset(text, 'x', sizeof(text));
	memcpy(text, "1000 10 ", 8);
	text[sizeof(text) - 1] = '\n';
	assert_int_equal(perfmap_feed(&map, text, sizeof(text), 0, &code, 0), sizeof(text));
	assert_int_equal(jit_code_find(&code, 0x1000)->length, JIT_TEXT_MAX);
}

static void code_that_takes_the_place_of_older_code_is_what_is_found(void **state)
{
	static const char text[] = "1000 100 outer\n1040 20 inner\n1050 100 over\nf00 110 before\n"
				   "1040 8 again\n";

	feed(text);
	assert_name(text, 0xf00, "before");
	assert_name(text, 0x100f, "before");
	assert_name(text, 0x1010, "outer");
	assert_name(text, 0x103f, "outer");
	assert_name(text, 0x1040, "again");
	assert_name(text, 0x1048, "inner");
	assert_name(text, 0x104f, "inner");
	assert_name(text, 0x1050, "over");
	assert_name(text, 0x114f, "over");
	assert_name(text, 0x1150, NULL);
	assert_name(text, 0xeff, NULL);
}

#define MODEL 4096

/* The ranges against an array that holds, for each address, the last range written over it. */
static void ranges_agree_with_a_plain_array(void **state)
{
	static uint32_t model[MODEL];
	unsigned seed = 4711;

	memset(model, 0, sizeof(model));
	for (uint32_t i = 1; i < 3000; i++) {
		uint64_t start = (uint64_t)rand_r(&seed) % MODEL, size = 1 + rand_r(&seed) % 200;
		struct jit_entry e = {.start = start, .end = start + size, .text = i};

		assert_int_equal(jit_code_add(&code, &e), 0);
		for (uint64_t at = start; at < start + size && at < MODEL; at++)
			model[at] = i;
		for (int look = 0; look < 20; look++) {
			uint64_t at = (uint64_t)rand_r(&seed) % MODEL;
			const struct jit_entry *found = jit_code_find(&code, at);

			assert_int_equal(found ? found->text : 0, model[at]);
		}
	}
	assert_in_range(code.count, 1, 2 * MODEL);
}

static void more_ranges_than_the_bound_are_dropped_and_counted(void **state)
{
	struct jit_entry e = {.length = 1};

	for (uint64_t i = 0; i < JIT_CODE_MAX + 10; i++) {
		e.start = i * 32;
		e.end = e.start + 16;
		assert_true(jit_code_add(&code, &e) == (code.dropped ? -ENOSPC : 0));
	}
	assert_in_range(code.count, JIT_CODE_MAX - 4, JIT_CODE_MAX);
	assert_int_equal(code.count + code.dropped, JIT_CODE_MAX + 10);
	assert_non_null(jit_code_find(&code, 0));
	assert_null(jit_code_find(&code, 16));
}

static void an_empty_range_is_refused(void **state)
{
	assert_int_equal(jit_code_add(&code, &(struct jit_entry){.start = 5, .end = 5}), -EINVAL);
	assert_int_equal(jit_code_add(&code, &(struct jit_entry){.start = 5, .end = 4}), -EINVAL);
	assert_null(jit_code_find(&code, 5));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(lines_of_node_python_the_jvm_and_dotnet_name_their_ranges),
	    TEST(malformed_lines_are_skipped_and_counted),
	    TEST(a_line_counts_once_it_is_whole_however_it_comes),
	    TEST(a_line_without_an_end_is_skipped_and_the_next_one_read),
	    TEST(a_long_name_is_looked_at_up_to_a_bound),
	    TEST(code_that_takes_the_place_of_older_code_is_what_is_found),
	    TEST(ranges_agree_with_a_plain_array),
	    TEST(more_ranges_than_the_bound_are_dropped_and_counted),
	    TEST(an_empty_range_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
