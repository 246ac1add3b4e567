/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof/profile.c: ids, deduplication, what is refused, and that a call that fails for lack of
 * memory changes nothing a reader could see. The builder is compiled into this file, so that its
 * allocations can be made to fail. That its size is the encoding's is tested in encode_test.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
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

#define malloc(size) scarce_realloc(NULL, size)
#define realloc scarce_realloc
#define calloc scarce_calloc
#include "pprof/strtab.c"
#include "pprof/profile.c"
#undef malloc
#undef realloc
#undef calloc

static const struct pprof_value_type cpu_types[] = {{"samples", "count"}, {"cpu", "nanoseconds"}};
static const struct pprof_value_type cpu_period = {"cpu", "nanoseconds"};
static struct pprof_profile *p;

static int setup(void **state)
{
	allocations_left = -1;
	p = pprof_profile_new(cpu_types, 2, cpu_period, 10000000);
	return p ? 0 : -1;
}

static int teardown(void **state)
{
	pprof_profile_free(p);
	return 0;
}

static void types_come_first_in_the_string_table(void **state)
{
	const char *const expected[] = {"", "samples", "count", "cpu", "nanoseconds"};

	assert_int_equal(p->strings.n, 5);
	for (int i = 0; i < 5; i++)
		assert_string_equal(p->strings.strings[i], expected[i]);
}

static void a_profile_without_usable_types_is_refused(void **state)
{
	struct pprof_value_type many[PPROF_MAX_SAMPLE_TYPES + 1], none = {NULL, NULL};

	for (int i = 0; i <= PPROF_MAX_SAMPLE_TYPES; i++)
		many[i] = cpu_period;
	assert_null(pprof_profile_new(many, 0, cpu_period, 1));
	assert_null(pprof_profile_new(many, PPROF_MAX_SAMPLE_TYPES + 1, cpu_period, 1));
	assert_null(pprof_profile_new(many, 1, none, 1));
	assert_null(pprof_profile_new(&none, 1, cpu_period, 1));
}

static void the_default_sample_type_must_be_one_of_them(void **state)
{
	assert_int_equal(pprof_profile_set_default_sample_type(p, "count"), -EINVAL);
	assert_int_equal(p->default_type, 0);
	assert_int_equal(pprof_profile_set_default_sample_type(p, "cpu"), 0);
	assert_string_equal(p->strings.strings[p->default_type], "cpu");
}

static void mappings_are_numbered_in_order(void **state)
{
	assert_int_equal(pprof_mapping(p, 0x1000, 0x2000, 0, "/bin/shop", "c0ffee", 1), 1);
	assert_int_equal(pprof_mapping(p, 0x1000, 0x2000, 0, "/bin/shop", "c0ffee", ~0u), 2);
	assert_int_equal(p->mappings[1].flags, PPROF_HAS_ALL);
}

static void equal_functions_share_an_id(void **state)
{
	uint64_t f = pprof_function(p, "main", "main", "main.c", 10);

	assert_int_equal(f, 1);
	assert_int_equal(pprof_function(p, "main", "main", "main.c", 10), f);
	assert_int_not_equal(pprof_function(p, "main", "main", "main.c", 11), f);
	assert_int_not_equal(pprof_function(p, "main", "main", "other.c", 10), f);
	assert_int_not_equal(pprof_function(p, "main", "_Zmain", "main.c", 10), f);
	assert_int_not_equal(pprof_function(p, "main()", "main", "main.c", 10), f);
	assert_int_equal(p->functions.n - 1, 5);
}

static void equal_locations_share_an_id(void **state)
{
	uint64_t f = pprof_function(p, "f", "f", "f.c", 1);
	uint64_t m = pprof_mapping(p, 0, 9, 0, "f", NULL, 0);
	const struct pprof_line line = {f, 7}, other = {f, 8}, inlined[] = {{f, 7}, {f, 7}};
	uint64_t id = pprof_location(p, m, 0x10, &line, 1);

	assert_int_equal(id, 1);
	assert_int_equal(pprof_location(p, m, 0x10, &line, 1), id);
	assert_int_not_equal(pprof_location(p, 0, 0x10, &line, 1), id);
	assert_int_not_equal(pprof_location(p, m, 0x11, &line, 1), id);
	assert_int_not_equal(pprof_location(p, m, 0x10, &other, 1), id);
	assert_int_not_equal(pprof_location(p, m, 0x10, inlined, 2), id);
	assert_int_equal(p->locations.n - 1, 5);
	assert_int_equal(p->n_lines, 6);
}

static void a_location_that_readers_would_drop_is_refused(void **state)
{
	const struct pprof_line good = {pprof_function(p, "f", "f", "f.c", 1), 7};
	const struct pprof_line unknown = {2, 7}, none = {0, 7}, late[] = {good, unknown};
	size_t size = pprof_profile_size(p);

	assert_int_equal(pprof_location(p, 0, 0x10, &good, 0), 0);
	assert_int_equal(pprof_location(p, 0, 0x10, &unknown, 1), 0);
	assert_int_equal(pprof_location(p, 0, 0x10, &none, 1), 0);
	assert_int_equal(pprof_location(p, 0, 0x10, late, 2), 0);
	assert_int_equal(pprof_location(p, 1, 0x10, &good, 1), 0);
	assert_int_equal(pprof_profile_size(p), size);
}

static uint64_t some_location(void)
{
	const struct pprof_line line = {pprof_function(p, "f", "f", "f.c", 1), 7};

	return pprof_location(p, 0, 0x10, &line, 1);
}

static void a_sample_of_unknown_or_no_locations_is_refused(void **state)
{
	const int64_t values[] = {1, 10};
	const uint64_t known = some_location(), bad[] = {known, known + 1}, none[] = {known, 0};
	size_t size = pprof_profile_size(p);

	assert_int_equal(pprof_sample(p, &known, 0, values, NULL, 0), -EINVAL);
	assert_int_equal(pprof_sample(p, bad, 2, values, NULL, 0), -EINVAL);
	assert_int_equal(pprof_sample(p, none, 2, values, NULL, 0), -EINVAL);
	assert_int_equal(pprof_profile_samples(p), 0);
	assert_int_equal(pprof_profile_size(p), size);
}

static void a_sample_may_have_the_most_labels_and_no_more(void **state)
{
	struct pprof_label labels[PPROF_MAX_LABELS + 1];
	const int64_t values[] = {1, 10};
	const uint64_t location = some_location();

	for (int i = 0; i <= PPROF_MAX_LABELS; i++)
		labels[i] = (struct pprof_label){"key", "value"};
	assert_int_equal(pprof_sample(p, &location, 1, values, labels, PPROF_MAX_LABELS + 1),
			 -E2BIG);
	assert_int_equal(pprof_profile_samples(p), 0);
	assert_int_equal(pprof_sample(p, &location, 1, values, labels, PPROF_MAX_LABELS), 0);
	assert_int_equal(p->n_labels, PPROF_MAX_LABELS);
}

static void labels_without_text_are_left_out_and_without_key_refused(void **state)
{
	const struct pprof_label sparse[] = {{"a", ""}, {"b", NULL}, {"c", "d"}};
	const struct pprof_label keyless[] = {{"a", "b"}, {"", "c"}};
	const int64_t values[] = {1, 10};
	const uint64_t location = some_location();

	assert_int_equal(pprof_sample(p, &location, 1, values, keyless, 2), -EINVAL);
	assert_int_equal(pprof_sample(p, &location, 1, values, sparse, 3), 0);
	assert_int_equal(p->samples[0].n_labels, 1);
	assert_string_equal(p->strings.strings[p->words[3]], "c");
	assert_string_equal(p->strings.strings[p->words[4]], "d");
}

/* A little of everything; true once all of it went in. */
static int build_step(int step)
{
	static const struct pprof_label labels[] = {{"span_id", "00f067aa0ba902b7"}};
	const struct pprof_line lines[] = {{1, 2}, {1, 3}};
	const int64_t values[] = {1, 10};
	const uint64_t stack[] = {1, 1};

	switch (step) {
	case 0:
		return pprof_mapping(p, 1, 2, 3, "/bin/shop", "c0ffee", 1) != 0;
	case 1:
		return pprof_function(p, "f()", "_Zf", "f.c", 4) != 0;
	case 2:
		return pprof_location(p, 1, 0x10, lines, 2) != 0;
	case 3:
		return pprof_sample(p, stack, 2, values, labels, 1) == 0;
	default:
		return pprof_profile_add_comment(p, "rate limited") == 0;
	}
}

static void a_call_without_memory_can_be_made_again(void **state)
{
	size_t size;

	for (int step = 0; step <= 4; step++) {
		size_t samples = p->n_samples, mappings = p->n_mappings, comments = p->n_comments;

		for (long n = 0;; n++) {
			int done;

			allocations_left = n;
			done = build_step(step);
			allocations_left = -1;
			if (done)
				break;
			assert_int_equal(p->n_samples, samples);
			assert_int_equal(p->n_mappings, mappings);
			assert_int_equal(p->n_comments, comments);
		}
	}
	assert_int_equal(pprof_profile_samples(p), 1);
	assert_int_equal(p->n_lines, 2);
	assert_int_equal(p->n_labels, 1);
	size = pprof_profile_size(p);
	teardown(state);
	setup(state);
	for (int step = 0; step <= 4; step++)
		assert_true(build_step(step));
	assert_int_equal(pprof_profile_size(p), size);
}

static void a_profile_without_memory_is_none(void **state)
{
	struct pprof_profile *got = NULL;

	for (long n = 0; !got; n++) {
		allocations_left = n;
		got = pprof_profile_new(cpu_types, 2, cpu_period, 1);
		assert_true(n < 100);
	}
	pprof_profile_free(got);
	pprof_profile_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(types_come_first_in_the_string_table),
	    TEST(a_profile_without_usable_types_is_refused),
	    TEST(the_default_sample_type_must_be_one_of_them),
	    TEST(mappings_are_numbered_in_order),
	    TEST(equal_functions_share_an_id),
	    TEST(equal_locations_share_an_id),
	    TEST(a_location_that_readers_would_drop_is_refused),
	    TEST(a_sample_of_unknown_or_no_locations_is_refused),
	    TEST(a_sample_may_have_the_most_labels_and_no_more),
	    TEST(labels_without_text_are_left_out_and_without_key_refused),
	    TEST(a_call_without_memory_can_be_made_again),
	    TEST(a_profile_without_memory_is_none),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
