/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of agent/retry.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/retry.h"

#define S 1000000000ull

static enum retry_verdict judge(long status, const char *body)
{
	struct retry_outcome outcome = {status, body, true};

	return retry_judge(&outcome);
}

static void an_unanswered_request_is_repeated_only_if_it_was_not_sent_whole(void **state)
{
	struct retry_outcome outcome = {0, "", false};

	assert_int_equal(retry_judge(&outcome), RETRY_LATER);
	outcome.sent_whole = true;
	assert_int_equal(retry_judge(&outcome), RETRY_AMBIGUOUS);
}

static void statuses_mean_what_pyroscope_means_by_them(void **state)
{
	static const long later[] = {408, 429, 500, 502, 503, 504, 599};
	static const long rejected[] = {301, 302, 400, 401, 403, 404, 405, 413, 422};

	assert_int_equal(judge(200, ""), RETRY_STORED);
	assert_int_equal(judge(204, ""), RETRY_STORED);
	for (unsigned i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		assert_int_equal(judge(later[i], ""), RETRY_LATER);
	for (unsigned i = 0; i < sizeof(rejected) / sizeof(rejected[0]); i++)
		assert_int_equal(judge(rejected[i], ""), RETRY_REJECTED);
}

static void a_422_of_an_old_server_may_be_its_rate_limit(void **state)
{
	const char *limit =
	    "{\"code\":\"unknown\",\"message\":\"resource_exhausted: push rate limit\"}";

	assert_int_equal(judge(422, limit), RETRY_LATER);
	assert_int_equal(judge(400, limit), RETRY_REJECTED);
}

static void waits_grow_from_one_second_to_thirty(void **state)
{
	uint64_t before = 0;

	for (unsigned failures = 1; failures < 100; failures++) {
		uint64_t shortest = retry_delay_ns(failures, 0);
		uint64_t longest = retry_delay_ns(failures, UINT32_MAX);

		assert_true(shortest >= 1 * S && longest <= 30 * S);
		assert_true(shortest >= before && longest > shortest);
		before = shortest;
	}
	assert_true(retry_delay_ns(1, 0) == 1 * S);
	assert_true(retry_delay_ns(8, UINT32_MAX) > 29 * S);
	assert_true(retry_delay_ns(0, 0) >= 1 * S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_unanswered_request_is_repeated_only_if_it_was_not_sent_whole),
	    cmocka_unit_test(statuses_mean_what_pyroscope_means_by_them),
	    cmocka_unit_test(a_422_of_an_old_server_may_be_its_rate_limit),
	    cmocka_unit_test(waits_grow_from_one_second_to_thirty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
