/* SPDX-License-Identifier: Apache-2.0 */
/* shim/labels.c: what docs/configuration.md says about pairs that are good, malformed and too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/labels.h"

static struct labels labels;

static int setup(void **state)
{
	memset(&labels, 0, sizeof(labels));
	return 0;
}

/* The text in a heap block of its exact size: it need not end in a NUL. */
static bool add(const char *text, enum labels_form form)
{
	size_t n = strlen(text);
	char *copy = malloc(n ? n : 1);
	bool complete;

	memcpy(copy, text, n);
	complete = labels_add(&labels, copy, n, form);
	free(copy);
	return complete;
}

static void assert_labels(const char *expected)
{
	char out[LABELS_MAX * 700];

	assert_true(labels_format(&labels, out, sizeof(out)));
	assert_string_equal(out, expected);
}

static void pairs_come_out_in_order_and_trimmed(void **state)
{
	assert_true(add("b=2, a = 1 ,c.d_E9=x y", LABELS_PLAIN));
	assert_labels("b=2,a=1,c.d_E9=x y");
	assert_string_equal(labels_find(&labels, "a"), "1");
	assert_null(labels_find(&labels, "d"));
}

static void the_last_of_a_key_wins_in_the_place_of_the_first(void **state)
{
	assert_true(add("a=1,b=2,a=3", LABELS_PLAIN));
	assert_labels("a=3,b=2");
	assert_true(add("b=9", LABELS_PERCENT));
	assert_labels("a=3,b=9");
}

static void nothing_and_empty_pairs_are_nothing(void **state)
{
	assert_true(add("", LABELS_PLAIN));
	assert_true(add(",, ,", LABELS_PLAIN));
	assert_true(add("a=,b= ", LABELS_PLAIN));
	assert_labels("");
}

static void a_malformed_pair_is_left_out_alone(void **state)
{
	static const char *const bad[] = {"novalue",	"=1",	  "a-b=1", "a b=1",
					  "__a=1",	"k=a{b",  "k=a}b", "k=\1",
					  "\303\244=1", "k=a\tb", " =1"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[64];

		setup(state);
		snprintf(text, sizeof(text), "x=1,%s,y=2", bad[i]);
		assert_false(add(text, LABELS_PLAIN));
		assert_labels("x=1,y=2");
	}
}

static void values_may_hold_what_the_server_takes(void **state)
{
	assert_true(add("a=b=c,d=\303\244/:%41+\"", LABELS_PLAIN));
	assert_labels("a=b=c,d=\303\244/:%41+\"");
}

static void percent_encoding_is_undone_in_attributes(void **state)
{
	assert_true(add("a%2Eb=%c3%A4+c%25,d=%20x%20", LABELS_PERCENT));
	assert_labels("a.b=\303\244+c%,d= x ");
}

static void attributes_are_adapted_rather_than_lost(void **state)
{
	assert_true(add("k8s-pod/name=x%2Cy%7Bz%7D%0A,a=b", LABELS_PERCENT));
	assert_labels("k8s_pod_name=x_y_z__,a=b");
}

static void one_malformed_attribute_voids_them_all(void **state)
{
	static const char *const bad[] = {"c=%4",    "c=%", "c=%g1", "c=%1g", "c=%00",
					  "novalue", "%=1", "=1",    "__c=1", "--c=1"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[64];

		setup(state);
		assert_true(add("kept=1,a=0", LABELS_PLAIN));
		snprintf(text, sizeof(text), "a=1,%s,b=2", bad[i]);
		assert_false(add(text, LABELS_PERCENT));
		assert_labels("kept=1,a=0");
	}
}

static char *many(unsigned n)
{
	static char text[4096];
	size_t used = 0;

	text[0] = 0;
	for (unsigned i = 0; i < n; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%sk%u=v%u",
					 i ? "," : "", i, i);
	return text;
}

static void more_than_the_server_takes_are_left_out_and_the_others_kept(void **state)
{
	static const enum labels_form forms[] = {LABELS_PLAIN, LABELS_PERCENT};

	for (int i = 0; i < 2; i++) {
		char expected[4096];

		setup(state);
		assert_true(add(many(LABELS_MAX), forms[i]));
		strcpy(expected, many(LABELS_MAX));
		assert_labels(expected);
		assert_false(add("more=1", forms[i]));
		assert_true(add("k3=v3", forms[i]));
		assert_labels(expected);
		setup(state);
		assert_false(add(many(LABELS_MAX + 5), forms[i]));
		assert_labels(expected);
	}
}

static void what_is_too_long_is_left_out_and_the_others_kept(void **state)
{
	static const enum labels_form forms[] = {LABELS_PLAIN, LABELS_PERCENT};
	char text[2048];

	for (int i = 0; i < 2; i++) {
		setup(state);
		snprintf(text, sizeof(text), "a=1,k=%0*d,b=2", LABELS_VALUE_MAX - 1, 7);
		assert_true(add(text, forms[i]));
		assert_int_equal(strlen(labels_find(&labels, "k")), LABELS_VALUE_MAX - 1);
		setup(state);
		snprintf(text, sizeof(text), "a=1,k=%0*d,b=2", LABELS_VALUE_MAX, 7);
		assert_false(add(text, forms[i]));
		assert_labels("a=1,b=2");
		setup(state);
		snprintf(text, sizeof(text), "a=1,k%0*d=1,b=2", LABELS_KEY_MAX - 1, 7);
		assert_false(add(text, forms[i]));
		assert_labels("a=1,b=2");
	}
}

static void removing_closes_the_gap(void **state)
{
	assert_true(add("a=1,b=2,c=3", LABELS_PLAIN));
	labels_remove(&labels, "b");
	labels_remove(&labels, "nothing");
	assert_labels("a=1,c=3");
	labels_remove(&labels, "c");
	labels_remove(&labels, "a");
	assert_labels("");
	assert_true(add(many(LABELS_MAX), LABELS_PLAIN));
	labels_remove(&labels, "k19");
	assert_int_equal(labels.count, LABELS_MAX - 1);
}

static void formatting_ends_at_a_whole_pair(void **state)
{
	assert_true(add("abc=1,def=2,ghi=3", LABELS_PLAIN));
	for (size_t room = 1; room < 24; room++) {
		char *out = malloc(room);
		bool complete = labels_format(&labels, out, room);

		assert_true(strlen(out) < room);
		assert_int_equal(complete, strcmp(out, "abc=1,def=2,ghi=3") == 0);
		assert_true(complete || !*out || strcmp(out, "abc=1") == 0 ||
			    strcmp(out, "abc=1,def=2") == 0);
		assert_true(room < 20 || complete);
		free(out);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
	    TEST(pairs_come_out_in_order_and_trimmed),
	    TEST(the_last_of_a_key_wins_in_the_place_of_the_first),
	    TEST(nothing_and_empty_pairs_are_nothing),
	    TEST(a_malformed_pair_is_left_out_alone),
	    TEST(values_may_hold_what_the_server_takes),
	    TEST(percent_encoding_is_undone_in_attributes),
	    TEST(attributes_are_adapted_rather_than_lost),
	    TEST(one_malformed_attribute_voids_them_all),
	    TEST(more_than_the_server_takes_are_left_out_and_the_others_kept),
	    TEST(what_is_too_long_is_left_out_and_the_others_kept),
	    TEST(removing_closes_the_gap),
	    TEST(formatting_ends_at_a_whole_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
