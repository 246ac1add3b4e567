/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/hpack.c on the examples of RFC 7541, appendix C: whole, cut at every byte, with Huffman
 * codes, evictions and table size updates; and that its failures come back as errors.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/hpack.h"

#define MEMORY (56 * 1024)

/* What hpack.c gives the library for the C function of that name. */
void hpack_escape___assert_fail(void);

static _Alignas(16) char memory[MEMORY];
static char seen[4096];

static void note(void *arg, const char *name, size_t name_length, const char *value,
		 size_t value_length)
{
	size_t n = strlen(seen);

	assert_int_equal(strlen(name), name_length);
	assert_int_equal(strlen(value), value_length);
	snprintf(seen + n, sizeof(seen) - n, "%s: %s\n", name, value);
}

static size_t from_hex(const char *hex, uint8_t *bytes)
{
	size_t n = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2hhx", &bytes[n++]), 1);
		hex++;
	}
	return n;
}

/* Feed one block in two pieces, the first of cut bytes. */
static int feed(struct hpack *h, const char *hex, size_t cut)
{
	uint8_t bytes[512];
	size_t n = from_hex(hex, bytes);
	int ret;

	seen[0] = '\0';
	if (cut > n)
		cut = n;
	ret = hpack_feed(h, bytes, cut, false, note, NULL);
	return ret ? ret : hpack_feed(h, bytes + cut, n - cut, true, note, NULL);
}

struct example {
	const char *hex, *headers;
};

static void decodes(const char *first, const struct example *examples, size_t count)
{
	for (size_t cut = 0; cut < 120; cut++) {
		struct hpack *h = hpack_init(memory, MEMORY);

		assert_non_null(h);
		assert_int_equal(feed(h, first, 1), 0);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(feed(h, examples[i].hex, cut), 0);
			assert_string_equal(seen, examples[i].headers);
		}
	}
}

#define HEAD(scheme, path)                                                                         \
	":method: GET\n:scheme: " scheme "\n:path: " path "\n:authority: www.example.com\n"
#define CUSTOM HEAD("https", "/index.html") "custom-key: custom-value\n"

static void requests_are_decoded(void **state)
{
	static const struct example examples[] = {
	    {"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", HEAD("http", "/")},
	    {"8286 84be 5808 6e6f 2d63 6163 6865", HEAD("http", "/") "cache-control: no-cache\n"},
	    {"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", CUSTOM},
	};

	decodes("", examples, 3);
}

static void requests_with_huffman_codes_are_decoded(void **state)
{
	static const struct example examples[] = {
	    {"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", HEAD("http", "/")},
	    {"8286 84be 5886 a8eb 1064 9cbf", HEAD("http", "/") "cache-control: no-cache\n"},
	    {"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", CUSTOM},
	};

	decodes("", examples, 3);
}

#define AT "date: Mon, 21 Oct 2013 20:13:"
#define LOCATION "location: https://www.example.com\n"
#define COOKIE "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n"

static const char *const answers[] = {
    ":status: 302\ncache-control: private\n" AT "21 GMT\n" LOCATION,
    ":status: 307\ncache-control: private\n" AT "21 GMT\n" LOCATION,
    ":status: 200\ncache-control: private\n" AT "22 GMT\n" LOCATION
    "content-encoding: gzip\n" COOKIE,
};
/* An update to the 256 bytes that these examples assume. */
#define TABLE_256 "3f e1 01"

static void entries_are_evicted_from_a_small_table(void **state)
{
	const struct example examples[] = {
	    {"4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 "
	     "303a"
	     "3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
	     answers[0]},
	    {"4803 3330 37c1 c0bf", answers[1]},
	    {"88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 "
	     "5a04"
	     "677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 "
	     "4f49"
	     "553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
	     answers[2]},
	};

	decodes(TABLE_256, examples, 3);
}

static void entries_with_huffman_codes_are_evicted_too(void **state)
{
	const struct example examples[] = {
	    {"4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b "
	     "ff6e"
	     "919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
	     answers[0]},
	    {"4883 640e ffc1 c0bf", answers[1]},
	    {"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad "
	     "94e7"
	     "821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 "
	     "03ed"
	     "4ee5 b106 3d50 07",
	     answers[2]},
	};

	decodes(TABLE_256, examples, 3);
}

static void a_table_may_grow_to_the_bound_and_no_further(void **state)
{
	struct hpack *h = hpack_init(memory, MEMORY);

	assert_int_equal(feed(h, "3f e1 ff 03 82", 9), 0); /* 65536 */
	assert_string_equal(seen, ":method: GET\n");
	assert_int_equal(feed(h, "3f e2 ff 03 82", 9), -EPROTO);
	assert_int_equal(feed(h, "82", 9), -EPROTO); /* for good */
}

static void a_table_of_none_holds_nothing(void **state)
{
	struct hpack *h = hpack_init(memory, MEMORY);

	assert_int_equal(feed(h, "20 40 01 61 01 62", 9), 0);
	assert_string_equal(seen, "a: b\n");
	assert_int_equal(feed(h, "be", 9), -EPROTO);
}

static void what_is_no_block_is_refused(void **state)
{
	static const char *const blocks[] = {
	    "80",		 /* index 0 */
	    "be",		 /* nothing there */
	    "82 20",		 /* a size update that is not first */
	    "40 01 61",		 /* cut short */
	    "ff ff ff ff ff 7f", /* an index over all bounds */
	    "40 81 ff ff",	 /* padding over 7 bits */
	    "00 7f ff ff 7f 61", /* a name of 2 MB */
	};

	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++)
		for (size_t cut = 0; cut < 7; cut++)
			assert_int_equal(feed(hpack_init(memory, MEMORY), blocks[i], cut), -EPROTO);
}

static void more_than_its_memory_holds_is_an_error(void **state)
{
	/* A literal with a value of 60 000 bytes. */
	assert_int_equal(feed(hpack_init(memory, MEMORY), "00 01 61 7f e1 d3 03", 9), -ENOMEM);
	assert_null(hpack_init(memory, 512));
	assert_non_null(hpack_init(memory, 4096));
}

static void break_off(void *arg, const char *name, size_t name_length, const char *value,
		      size_t value_length)
{
	hpack_escape___assert_fail();
}

static void a_failed_assertion_comes_back_as_an_error(void **state)
{
	struct hpack *h = hpack_init(memory, MEMORY);

	assert_int_equal(hpack_feed(h, "\x82", 1, true, break_off, NULL), -EFAULT);
	assert_int_equal(hpack_feed(h, "\x82", 1, true, note, NULL), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_decoded),
	    cmocka_unit_test(requests_with_huffman_codes_are_decoded),
	    cmocka_unit_test(entries_are_evicted_from_a_small_table),
	    cmocka_unit_test(entries_with_huffman_codes_are_evicted_too),
	    cmocka_unit_test(a_table_may_grow_to_the_bound_and_no_further),
	    cmocka_unit_test(a_table_of_none_holds_nothing),
	    cmocka_unit_test(what_is_no_block_is_refused),
	    cmocka_unit_test(more_than_its_memory_holds_is_an_error),
	    cmocka_unit_test(a_failed_assertion_comes_back_as_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
