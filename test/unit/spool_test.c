/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of agent/spool.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "agent/spool.h"

static int push(struct spool *s, size_t len, uint64_t id)
{
	struct spool_item item = {.bytes = malloc(len), .len = len, .from_ns = id};

	return spool_push(s, &item);
}

static uint64_t pop(struct spool *s)
{
	struct spool_item item;
	uint64_t id;

	assert_true(spool_pop(s, &item));
	id = item.from_ns;
	spool_item_release(&item);
	return id;
}

static void profiles_come_out_in_the_order_they_went_in(void **state)
{
	struct spool s;
	struct spool_item item;

	spool_init(&s);
	for (uint64_t id = 0; id < 3; id++)
		assert_int_equal(push(&s, 100, id), 0);
	assert_int_equal(s.bytes, 300);
	for (uint64_t id = 0; id < 3; id++)
		assert_int_equal(pop(&s), id);
	assert_false(spool_pop(&s, &item));
	assert_int_equal(s.bytes, 0);
	spool_release(&s);
}

static void one_profile_too_many_pushes_out_the_oldest(void **state)
{
	struct spool s;

	spool_init(&s);
	for (uint64_t id = 0; id < SPOOL_ITEMS_MAX + 2; id++)
		push(&s, 1, id);
	assert_int_equal(s.count, SPOOL_ITEMS_MAX);
	assert_int_equal(s.dropped, 2);
	assert_int_equal(pop(&s), 2);
	spool_release(&s);
}

static void bytes_are_bounded_as_well_as_profiles(void **state)
{
	struct spool s;

	spool_init(&s);
	push(&s, SPOOL_BYTES_MAX / 2, 0);
	push(&s, SPOOL_BYTES_MAX / 2, 1);
	assert_int_equal(s.dropped, 0);
	push(&s, 1, 2);
	assert_int_equal(s.dropped, 1);
	assert_int_equal(pop(&s), 1);
	push(&s, SPOOL_BYTES_MAX, 3);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.dropped, 2);
	spool_release(&s);
}

static void what_can_never_fit_pushes_nothing_out(void **state)
{
	struct spool s;

	spool_init(&s);
	push(&s, 1, 7);
	assert_int_equal(push(&s, SPOOL_BYTES_MAX + 1, 8), -EMSGSIZE);
	assert_int_equal(s.dropped, 1);
	assert_int_equal(pop(&s), 7);
	spool_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(profiles_come_out_in_the_order_they_went_in),
	    cmocka_unit_test(one_profile_too_many_pushes_out_the_oldest),
	    cmocka_unit_test(bytes_are_bounded_as_well_as_profiles),
	    cmocka_unit_test(what_can_never_fit_pushes_nothing_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
