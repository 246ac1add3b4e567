/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of agent/url.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "agent/url.h"

static void addresses_lose_slashes_query_and_fragment(void **state)
{
	static const char *const cases[][2] = {
	    {"http://localhost:4040", "http://localhost:4040"},
	    {"http://localhost:4040/", "http://localhost:4040"},
	    {"HTTPS://h/a/b//", "https://h/a/b"},
	    {"localhost:4040", "http://localhost:4040"},
	    {"http://[::1]:4040/p?q=1#f", "http://[::1]:4040/p"},
	    {"http://h?q=a@b", "http://h"},
	    {"http://h/a@b", "http://h/a@b"},
	};
	struct url url;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(url_parse(&url, cases[i][0]), 0);
		assert_string_equal(url.base, cases[i][1]);
		assert_false(url.has_user);
	}
}

static void userinfo_is_taken_out_and_decoded(void **state)
{
	struct url url;

	assert_int_equal(url_parse(&url, "https://12345:s%3Acr%20t@prod.example/x"), 0);
	assert_string_equal(url.base, "https://prod.example/x");
	assert_true(url.has_user);
	assert_string_equal(url.user, "12345");
	assert_string_equal(url.password, "s:cr t");
	assert_int_equal(url_parse(&url, "http://me@h"), 0);
	assert_string_equal(url.user, "me");
	assert_string_equal(url.password, "");
	assert_int_equal(url_parse(&url, "http://me:p@ss:w@h:1"), 0);
	assert_string_equal(url.base, "http://h:1");
	assert_string_equal(url.password, "p@ss:w");
}

static void what_is_no_web_address_is_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "http://",
	    "http:///x",
	    "http://:4040",
	    "ftp://h",
	    "file:///etc/passwd",
	    "unix://x",
	    "http://a b",
	    "http://a\r\nX: y",
	    "http://a\\b",
	    "http://u%4@h",
	    "http://u%00@h",
	    "http://u%zz@h",
	    "http://user@",
	    "?x",
	    "gopher://h",
	};
	struct url url;
	char longest[URL_MAX + 8];

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (url_parse(&url, bad[i]) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(url_parse(&url, longest), -EINVAL);
	longest[sizeof(longest) - 2] = '@';
	assert_int_equal(url_parse(&url, longest), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_lose_slashes_query_and_fragment),
	    cmocka_unit_test(userinfo_is_taken_out_and_decoded),
	    cmocka_unit_test(what_is_no_web_address_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
