/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of agent/buildinfo.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "agent/buildinfo.h"

static int parse(const char *body, char version[16])
{
	strcpy(version, "unset");
	return buildinfo_parse(body, strlen(body), version, 16);
}

static void the_version_is_found_in_a_servers_answer(void **state)
{
	char version[16];

	assert_int_equal(parse("{\"status\":\"success\",\"data\":{\"version\":\"2.2.1\","
			       "\"revision\":\"df3c039\",\"goVersion\":\"go1.26\"}}",
			       version),
			 0);
	assert_string_equal(version, "2.2.1");
}

static void a_server_without_a_version_has_an_empty_one(void **state)
{
	char version[16];

	assert_int_equal(parse("{\"data\":{\"version\":\"\"}}", version), 0);
	assert_string_equal(version, "");
	assert_int_equal(parse("{\"data\":{}}", version), 0);
	assert_string_equal(version, "");
}

static void a_long_version_is_cut(void **state)
{
	char version[16];

	assert_int_equal(parse("{\"data\":{\"version\":\"1.2.3-abcdefghijklmnop\"}}", version), 0);
	assert_string_equal(version, "1.2.3-abcdefghi");
}

static void other_documents_are_refused(void **state)
{
	static const char *const bodies[] = {
	    "",
	    "404 page not found",
	    "<html>",
	    "{",
	    "[]",
	    "\"2.0\"",
	    "null",
	    "{}",
	    "{\"data\":[]}",
	    "{\"data\":\"1.0\"}",
	    "{\"data\":{\"version\":1.2}}",
	    "{\"version\":\"1.2\"}",
	};
	char version[16];

	for (unsigned i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		assert_int_equal(parse(bodies[i], version), -EINVAL);
	/* No terminator behind the body. */
	assert_int_equal(buildinfo_parse("{\"data\":{}}", 5, version, 16), -EINVAL);
}

static void only_what_is_surely_older_than_2_1_goes_without_trace_ids(void **state)
{
	static const char *const old[] = {
	    "1.21.1", "2.0.6", "v1.2", "1.22.0-rc.1", "0.37.2", "v2.0.0", "1.13.0+dirty", "2.0",
	};
	static const char *const current[] = {
	    "2.1.0", "2.2.1",	    "v2.1",	  "2.1.0-rc.0", "2.10.0",      "3.0.0", "10.0",
	    "",	     "main-abcdef", "HEAD",	  "1",		"v",	       ".",	"1.",
	    "-1.2",  "1.2abc",	    "20240101.1", "1234567.1",	"weekly-f1.2",
	};

	for (unsigned i = 0; i < sizeof(old) / sizeof(old[0]); i++)
		if (buildinfo_trace_id_safe(old[i]))
			fail_msg("\"%s\" was taken for current", old[i]);
	for (unsigned i = 0; i < sizeof(current) / sizeof(current[0]); i++)
		if (!buildinfo_trace_id_safe(current[i]))
			fail_msg("\"%s\" was taken for old", current[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_version_is_found_in_a_servers_answer),
	    cmocka_unit_test(a_server_without_a_version_has_an_empty_one),
	    cmocka_unit_test(a_long_version_is_cut),
	    cmocka_unit_test(other_documents_are_refused),
	    cmocka_unit_test(only_what_is_surely_older_than_2_1_goes_without_trace_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
