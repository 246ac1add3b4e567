/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/traceparent.c against the cases of the W3C trace-context test suite that concern
 * traceparent, and a few that it lacks. Values are copied to the heap at their exact size, so
 * that a read past the end is seen by the sanitizers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/traceparent.h"

#define T "12345678901234567890123456789012"
#define S "1234567890123456"
#define GOOD "00-" T "-" S "-01"

static const uint8_t trace_id[16] = {0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56,
				     0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12};
static const uint8_t span_id[8] = {0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56};

static bool parse(const char *s, size_t n, struct trace_context *out)
{
	char *copy = malloc(n ? n : 1);
	bool ok;

	assert_non_null(copy);
	memcpy(copy, s, n);
	ok = traceparent_parse(copy, n, out);
	free(copy);
	return ok;
}

static void accepts(const char *s, uint8_t flags)
{
	struct trace_context tc;

	memset(&tc, 0xee, sizeof(tc));
	if (!parse(s, strlen(s), &tc))
		fail_msg("refused: '%s'", s);
	assert_memory_equal(tc.trace_id, trace_id, sizeof(trace_id));
	assert_memory_equal(tc.span_id, span_id, sizeof(span_id));
	assert_int_equal(tc.flags, flags);
}

static void refuses_bytes(const char *s, size_t n)
{
	struct trace_context tc, before;

	memset(&tc, 0xee, sizeof(tc));
	before = tc;
	if (parse(s, n, &tc))
		fail_msg("accepted: '%s'", s);
	assert_memory_equal(&tc, &before, sizeof(tc));
}

static void refuses(const char *s)
{
	refuses_bytes(s, strlen(s));
}

static void a_well_formed_value_is_read(void **state)
{
	accepts(GOOD, 1);
	accepts("00-" T "-" S "-00", 0);
}

static void nothing_at_all_is_no_context(void **state)
{
	refuses("");
	refuses(" ");
	refuses(" \t \t ");
}

static void version_00_takes_nothing_after_the_flags(void **state)
{
	refuses(GOOD ".");
	refuses(GOOD "-");
	refuses(GOOD "-what-the-future-will-be-like");
}

static void a_later_version_may_go_on_after_a_dash(void **state)
{
	accepts("cc-" T "-" S "-01", 1);
	accepts("cc-" T "-" S "-01-what-the-future-will-be-like", 1);
	accepts("01-" T "-" S "-01-", 1);
	accepts("fe-" T "-" S "-01", 1);
	refuses("cc-" T "-" S "-01.what-the-future-will-be-like");
	refuses("cc-" T "-" S "-011");
}

static void version_ff_is_forbidden(void **state)
{
	refuses("ff-" T "-" S "-01");
	refuses("ff-" T "-" S "-01-more");
}

static void an_illegal_version_is_refused(void **state)
{
	refuses(".0-" T "-" S "-01");
	refuses("0.-" T "-" S "-01");
	refuses("000-" T "-" S "-01");
	refuses("0000-" T "-" S "-01");
	refuses("0-" T "-" S "-01");
	refuses("-" T "-" S "-01");
}

static void a_trace_id_of_zeros_is_refused(void **state)
{
	refuses("00-00000000000000000000000000000000-" S "-01");
	refuses("cc-00000000000000000000000000000000-" S "-01");
}

static void an_illegal_trace_id_is_refused(void **state)
{
	refuses("00-.2345678901234567890123456789012-" S "-01");
	refuses("00-1234567890123456789012345678901.-" S "-01");
	refuses("00-123456789012345678901234567890123-" S "-01");
	refuses("00-1234567890123456789012345678901-" S "-01");
}

static void a_parent_id_of_zeros_is_refused(void **state)
{
	refuses("00-" T "-0000000000000000-01");
	refuses("cc-" T "-0000000000000000-01");
}

static void an_illegal_parent_id_is_refused(void **state)
{
	refuses("00-" T "-.234567890123456-01");
	refuses("00-" T "-123456789012345.-01");
	refuses("00-" T "-12345678901234567-01");
	refuses("00-" T "-123456789012345-01");
}

static void illegal_flags_are_refused(void **state)
{
	refuses("00-" T "-" S "-.0");
	refuses("00-" T "-" S "-0.");
	refuses("00-" T "-" S "-001");
	refuses("00-" T "-" S "-1");
	refuses("00-" T "-" S "-");
	refuses("00-" T "-" S);
}

static void of_the_flags_sampled_and_random_are_kept(void **state)
{
	accepts("00-" T "-" S "-02", TRACE_FLAG_RANDOM);
	accepts("00-" T "-" S "-03", TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM);
	accepts("00-" T "-" S "-ff", TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM);
	accepts("00-" T "-" S "-fc", 0);
	accepts("cc-" T "-" S "-f9", TRACE_FLAG_SAMPLED);
}

static void white_space_around_the_value_does_not_count(void **state)
{
	accepts(" " GOOD, 1);
	accepts("\t" GOOD, 1);
	accepts(GOOD " ", 1);
	accepts(GOOD "\t", 1);
	accepts("\t " GOOD " \t", 1);
	accepts("cc-" T "-" S "-01 \t", 1);
	refuses("\n" GOOD);
	refuses(GOOD "\r");
	refuses("00 -" T "-" S "-01");
}

static void upper_case_is_refused(void **state)
{
	refuses("00-ABCDEFABCDEFABCDEFABCDEFABCDEFAB-" S "-01");
	refuses("00-" T "-ABCDEFABCDEFABCD-01");
	refuses("00-" T "-" S "-0A");
	refuses("CC-" T "-" S "-01");
}

static void the_fields_are_parted_by_dashes_only(void **state)
{
	refuses("00_" T "-" S "-01");
	refuses("00-" T "_" S "-01");
	refuses("00-" T "-" S "_01");
	refuses("00-" T S "--01");
}

static void every_shorter_value_is_refused(void **state)
{
	for (size_t n = 0; n < TRACEPARENT_SIZE; n++)
		refuses_bytes(GOOD, n);
}

static void a_wrong_byte_anywhere_is_refused(void **state)
{
	static const char wrong[] = {'\0', '/', ':', '@', 'G', '`', 'g', ' ', '\x80', '\xff'};
	char s[] = GOOD;

	for (size_t i = 0; i < TRACEPARENT_SIZE; i++) {
		for (size_t j = 0; j < sizeof(wrong); j++) {
			char was = s[i];

			s[i] = wrong[j];
			refuses_bytes(s, TRACEPARENT_SIZE);
			s[i] = was;
		}
	}
}

static void a_nul_does_not_end_the_value(void **state)
{
	refuses_bytes(GOOD "\0", TRACEPARENT_SIZE + 1);
	refuses_bytes("\0" GOOD, TRACEPARENT_SIZE + 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_well_formed_value_is_read),
    cmocka_unit_test(nothing_at_all_is_no_context),
    cmocka_unit_test(version_00_takes_nothing_after_the_flags),
    cmocka_unit_test(a_later_version_may_go_on_after_a_dash),
    cmocka_unit_test(version_ff_is_forbidden),
    cmocka_unit_test(an_illegal_version_is_refused),
    cmocka_unit_test(a_trace_id_of_zeros_is_refused),
    cmocka_unit_test(an_illegal_trace_id_is_refused),
    cmocka_unit_test(a_parent_id_of_zeros_is_refused),
    cmocka_unit_test(an_illegal_parent_id_is_refused),
    cmocka_unit_test(illegal_flags_are_refused),
    cmocka_unit_test(of_the_flags_sampled_and_random_are_kept),
    cmocka_unit_test(white_space_around_the_value_does_not_count),
    cmocka_unit_test(upper_case_is_refused),
    cmocka_unit_test(the_fields_are_parted_by_dashes_only),
    cmocka_unit_test(every_shorter_value_is_refused),
    cmocka_unit_test(a_wrong_byte_anywhere_is_refused),
    cmocka_unit_test(a_nul_does_not_end_the_value),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
