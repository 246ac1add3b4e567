/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/demangle.c: names of each language, names that are none, and names made to hurt.
 */
#include "agent/demangle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void names_of_each_language_are_read(void **state)
{
	assert_string_equal(demangle("_ZN6shapes6SquareC2Ed", false),
			    "shapes::Square::Square(double)");
	assert_string_equal(demangle("_Z3fooi.constprop.0", false),
			    "foo(int) [clone .constprop.0]");
	assert_string_equal(demangle("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", false),
			    "core::fmt::Formatter::pad");
	assert_string_equal(demangle("_RNvCs1234_7mycrate3foo", false), "mycrate::foo");
	assert_string_equal(demangle("_D3std5stdio6stdoutFZi", false), "std.stdio.stdout()");
}

static void names_that_are_not_mangled_stay(void **state)
{
	assert_null(demangle("main", false));
	assert_null(demangle("", false));
	assert_null(demangle("_", false));
	assert_null(demangle("_Z", false));
	assert_null(demangle("_ZN3foo", false));
	assert_null(demangle("i", false));
	assert_null(demangle("_Dmain_is_no_name", false));
	assert_null(demangle("_start", false));
}

static void gnat_s_names_are_read_when_they_are_known_to_be(void **state)
{
	static const char *const pairs[][2] = {
		{"work__mix_it", "work.mix_it"},
		{"work__inner__step", "work.inner.step"},
		{"work__Omultiply", "work.\"*\""},
		{"_ada_spin", "spin"},
		{"ada__calendar__clock", "ada.calendar.clock"},
		{"ada__calendar__Osubtract__2", "ada.calendar.\"-\""},
		{"ada_main___elabb", "ada_main'Elab_Body"},
		{"work__mix_it.constprop.0", "work.mix_it [clone .constprop.0]"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const char *plain = demangle_ada(pairs[i][0]);

		assert_non_null(plain);
		assert_string_equal(plain, pairs[i][1]);
		assert_null(demangle(pairs[i][0], false));
	}
}

static void names_of_other_languages_in_an_ada_program_stay(void **state)
{
	static const char *const names[] = {"main",	"adainit.part.0", "__gnat_finalize", "_start",
					    "SHA256_Init", "frame_dummy",    "",		  "x86.avx"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_null(demangle_ada(names[i]));
}

static double seconds_of(const char *name)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	demangle(name, true);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* Each substitution holds the one before it twice: 2^30 names in 200 bytes. */
static void a_name_that_doubles_itself_is_given_up(void **state)
{
	char name[1024];

	strcpy(name, "_Z1f");
	strcat(name, "St4pairIiiE");
	for (int i = 0; i < 30; i++) {
		char more[32];

		snprintf(more, sizeof(more), "S_IS%c_S%c_E",
			 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i],
			 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i]);
		strcat(name, more);
	}
	assert_true(seconds_of(name) < 1);
	assert_null(demangle(name, false));
}

static void names_that_are_long_or_deep_are_given_up(void **state)
{
	static const char *const parts[] = {"P",  "cv", "I", "N", "T_", "F",
					    "dp", "Dp", "X", "Q", "Q_"};
	static const char *const starts[] = {"_Z", "_Z1f", "_R", "_RNv", "_D3foo", "_Z1fcv"};
	char name[DEMANGLE_INPUT_MAX + 16];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		for (size_t j = 0; j < sizeof(starts) / sizeof(starts[0]); j++) {
			strcpy(name, starts[j]);
			while (strlen(name) + strlen(parts[i]) < DEMANGLE_INPUT_MAX)
				strcat(name, parts[i]);
			assert_true(seconds_of(name) < 2);
		}
	}
	strcpy(name, "_Z1f");
	memset(name + 4, 'i', DEMANGLE_INPUT_MAX);
	name[DEMANGLE_INPUT_MAX + 4] = '\0';
	assert_null(demangle(name, false));
}

static void shortened(const char *from, const char *to)
{
	char name[256];

	strcpy(name, from);
	demangle_shorten(name);
	assert_string_equal(name, to);
}

static void arguments_of_templates_are_left_out_when_asked(void **state)
{
	shortened("std::vector<int, std::allocator<int> >::size() const",
		  "std::vector<...>::size() const");
	shortened("A<B<C> >::D<E, F>::g(H<long>)", "A<...>::D<...>::g(H<...>)");
	shortened("Foo::operator<(Foo const&)", "Foo::operator<(Foo const&)");
	shortened("operator<< <char>(std::ostream&)", "operator<< <char>(std::ostream&)");
	shortened("X::operator->() const", "X::operator->() const");
	shortened("std::function<void (int)>::operator()(int) const",
		  "std::function<...>::operator()(int) const");
	shortened("f<(Color)3, (4>2)>()", "f<...>()");
	shortened("<alloc::vec::Vec<T, A> as core::fmt::Debug>::fmt",
		  "<alloc::vec::Vec<...> as core::fmt::Debug>::fmt");
	shortened("f<int", "f<int");
	shortened("<", "<");
	assert_string_equal(demangle("_ZNKSt6vectorIiSaIiEE4sizeEv", true),
			    "std::vector<...>::size() const");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_of_each_language_are_read),
	    cmocka_unit_test(names_that_are_not_mangled_stay),
	    cmocka_unit_test(gnat_s_names_are_read_when_they_are_known_to_be),
	    cmocka_unit_test(names_of_other_languages_in_an_ada_program_stay),
	    cmocka_unit_test(a_name_that_doubles_itself_is_given_up),
	    cmocka_unit_test(names_that_are_long_or_deep_are_given_up),
	    cmocka_unit_test(arguments_of_templates_are_left_out_when_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
