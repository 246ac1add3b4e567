/* SPDX-License-Identifier: Apache-2.0 */
/* agent/series.c and names.c: how many names there can ever be, and that nonsense does not keep real ones out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "agent/series.h"

#define INTERVAL_NS 15000000000ULL
#define SAMPLE_NS 10000000ULL

static struct series *series;
static struct names names;
static uint64_t now;

static int setup(void **state)
{
	series = series_new();
	now = 1700000000000000000ULL;
	return series ? 0 : -1;
}

static int teardown(void **state)
{
	series_free(series);
	names_release(&names);
	return 0;
}

static struct route route_of(const char *path)
{
	char target[FEED_TARGET_SIZE] = "";
	struct route route;

	snprintf(target, sizeof(target), "%s", path);
	route_name(&route, "GET\0\0\0\0\0\0\0\0\0\0\0\0", target);
	return route;
}

static void cost(const char *path, uint64_t samples)
{
	struct route route = route_of(path);
	uint32_t number = names_put(&names, &route);

	assert_int_not_equal(number, 0);
	names_at(&names, number)->nanoseconds += samples * SAMPLE_NS;
	names_at(&names, number)->samples += samples;
}

/* Never the same again, and nothing that is taken for a value. */
static void junk_of(uint64_t samples, unsigned count)
{
	static unsigned serial;
	char path[] = "/junk/aaaaaa";

	while (count--) {
		unsigned n = serial++;

		for (size_t i = 6; i < 12; i++, n /= 26)
			path[i] = (char)('a' + n % 26);
		cost(path, samples);
	}
}

static void junk(unsigned count)
{
	junk_of(1, count);
}

static const char *shown(const char *path)
{
	struct route route = route_of(path);
	uint32_t number = names_find(&names, &route);

	assert_int_not_equal(number, 0);
	return names_at(&names, names_at(&names, number)->shown)->route.name;
}

static unsigned distinct_shown(void)
{
	unsigned count = 0;

	for (uint32_t i = 1; i <= names.count; i++)
		count += names_at(&names, i)->shown == i;
	return count;
}

static uint32_t choose(void)
{
	now += INTERVAL_NS;
	return series_choose(series, &names, now);
}

static void as_long_as_there_are_few_all_are_shown(void **state)
{
	cost("/a", 1);
	cost("/a/12345", 2);
	cost("*", 1);
	assert_int_equal(choose(), 0);
	assert_string_equal(shown("/a"), "GET /a");
	assert_string_equal(shown("/a/7"), "GET /a/{}");
	assert_string_equal(shown("*"), "GET");
}

static void of_too_many_the_costliest_are_shown(void **state)
{
	junk(5000);
	cost("/checkout", 2);
	assert_int_equal(choose(), 5001 - SERIES_MAX);
	assert_string_equal(shown("/checkout"), "GET /checkout");
	assert_int_equal(distinct_shown(), SERIES_MAX + 1);
}

static unsigned series_of_an_hour(uint64_t samples)
{
	static struct route seen[1024];
	unsigned made = 0;

	for (int i = 0; i < 240; i++) {
		names_release(&names);
		junk_of(samples, 1000);
		choose();
		for (uint32_t k = 1; k <= names.count; k++) {
			const struct name *n = names_at(&names, k);

			/* None comes twice. */
			if (n->shown == k && names_has_path(&n->route)) {
				assert_true(made < 1024);
				seen[made++] = n->route;
			}
		}
		assert_true(distinct_shown() <= SERIES_MAX + 1);
	}
	assert_string_not_equal(seen[0].name, seen[made - 1].name);
	return made;
}

static void an_hour_of_nonsense_makes_few_series(void **state)
{
	unsigned once = series_of_an_hour(1), more;

	series_free(series);
	series = series_new();
	more = series_of_an_hour(5);
	print_message("240 intervals, 240000 paths: %u series; each met five times: %u\n", once, more);
	assert_int_equal(once, SERIES_MAX);
	assert_in_range(more, SERIES_MAX + 50, SERIES_MAX + SERIES_BURST + 60);
}

static void real_routes_get_in_after_nonsense_came_first(void **state)
{
	static const char *const routes[] = {"/cart", "/login", "/search", "/users/1/orders"};

	for (int i = 0; i < 20; i++) {
		names_release(&names);
		junk(1000);
		choose();
	}
	names_release(&names);
	junk(1000);
	for (unsigned i = 0; i < 4; i++)
		cost(routes[i], 3 + i);
	choose();
	for (unsigned i = 0; i < 4; i++)
		assert_string_equal(shown(routes[i]), route_of(routes[i]).name);
}

static void real_routes_stay_while_nonsense_goes_on(void **state)
{
	cost("/busy", 20);
	cost("/rare", 4);
	choose();
	for (int i = 0; i < 1000; i++) {
		names_release(&names);
		junk_of(i % 2 ? 1 : 2, 1000);
		cost("/busy", 20);
		/* Rare, but again and again. */
		if (i % 4 == 0)
			cost("/rare", 4);
		choose();
		assert_string_equal(shown("/busy"), "GET /busy");
		if (i % 4 == 0 && i > 0)
			assert_string_equal(shown("/rare"), "GET /rare");
	}
}

static void a_clock_that_jumps_does_no_harm(void **state)
{
	junk(300);
	choose();
	now = 5;
	names_release(&names);
	junk(300);
	choose();
	now = UINT64_MAX - 2 * INTERVAL_NS;
	names_release(&names);
	junk(300);
	choose();
	assert_true(distinct_shown() <= SERIES_MAX + 1);
}

static void a_table_has_each_name_once_and_says_when_it_is_full(void **state)
{
	struct route a = route_of("/a"), b = route_of("/b");
	uint32_t number = names_put(&names, &a);

	assert_int_equal(names_find(&names, &b), 0);
	assert_int_equal(names_put(&names, &a), number);
	assert_int_not_equal(names_put(&names, &b), number);
	junk(NAMES_MAX - 3);
	assert_false(names_full(&names));
	junk(1);
	assert_true(names_full(&names));
	assert_int_equal(names_find(&names, &a), number);
	assert_int_equal(names.count, NAMES_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(as_long_as_there_are_few_all_are_shown),
	    TEST(of_too_many_the_costliest_are_shown),
	    TEST(an_hour_of_nonsense_makes_few_series),
	    TEST(real_routes_get_in_after_nonsense_came_first),
	    TEST(real_routes_stay_while_nonsense_goes_on),
	    TEST(a_clock_that_jumps_does_no_harm),
	    TEST(a_table_has_each_name_once_and_says_when_it_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
