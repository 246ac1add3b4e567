/* SPDX-License-Identifier: Apache-2.0 */
/* shim/push.c: verdicts of trials, in the process's own slot of a region. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "shim/push.h"
#include "shim/self.h"
#include "test/unit/region_fixture.h"

#define KIND 2

static struct fixture fixture;
static struct self self;
static const struct feed_verdict *verdict;

static int setup(void **state)
{
	fixture_init(&fixture, 4);
	self = (struct self){.state = SELF_READY, .slot = fixture.slot, .key = fixture.session};
	self_page = &self;
	atomic_store(&region_current, &fixture.region);
	verdict = &fixture.region.processes[fixture.slot].verdicts[KIND];
	return 0;
}

static int teardown(void **state)
{
	atomic_store(&region_current, NULL);
	self_page = NULL;
	fixture_release(&fixture);
	return atomic_load(&self.inside) != 0;
}

static void tell(uint32_t count, bool passed)
{
	push_verdict((uint64_t)count << FEED_TRIAL_KIND_BITS | KIND, passed);
}

static void the_latest_that_was_passed_and_how_many_are_over_stay(void **state)
{
	tell(1, false);
	assert_int_equal(verdict->passed, 0);
	assert_int_equal(verdict->over, 1);
	tell(3, true);
	tell(4, false);
	assert_int_equal(verdict->passed, 3);
	assert_int_equal(verdict->over, 4);
	/* Late. */
	tell(2, true);
	tell(3, false);
	assert_int_equal(verdict->passed, 3);
	assert_int_equal(verdict->over, 4);
}

static void another_processs_slot_is_left_alone(void **state)
{
	self.key++;
	tell(1, true);
	assert_int_equal(verdict->passed, 0);
	assert_int_equal(verdict->over, 0);
}

static void a_process_that_is_not_attached_tells_nothing(void **state)
{
	self.state = SELF_IDLE;
	tell(1, true);
	assert_int_equal(verdict->over, 0);
}

static void a_slot_that_is_claimed_anew_knows_of_no_trials(void **state)
{
	struct feed_process *slot = &fixture.region.processes[fixture.slot];
	uint32_t index, session;

	tell(1, true);
	atomic_store(&slot->state, FEED_PROCESS_FREE);
	assert_true(region_claim_process(&fixture.region, getpid(), UINT32_MAX, &index, &session));
	assert_int_equal(index, fixture.slot);
	assert_int_equal(verdict->passed, 0);
	assert_int_equal(verdict->over, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_latest_that_was_passed_and_how_many_are_over_stay),
		TEST(another_processs_slot_is_left_alone),
		TEST(a_process_that_is_not_attached_tells_nothing),
		TEST(a_slot_that_is_claimed_anew_knows_of_no_trials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
