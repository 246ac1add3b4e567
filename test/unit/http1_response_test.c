/* SPDX-License-Identifier: Apache-2.0 */
/* shim/http1_response.c: where responses end. Each stream is fed whole and with a cut at every byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/http1_response.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"
#define ANSWERS(methods, stream, expected) answers(methods, stream, sizeof(stream) - 1, expected)

static void feed(struct http1_response *r, const char *s, size_t n, size_t at, char *out)
{
	char *copy = malloc(n + 1);

	memcpy(copy, s, n);
	for (size_t off = 0; off < n;) {
		ssize_t ret = http1_response_feed(r, copy + off, n - off);

		if (ret < 0 && !strchr(out, '!'))
			strcat(out, ret == -EPROTONOSUPPORT ? "over!" : ret == -E2BIG ? "big!" : "lost!");
		if (ret <= 0)
			break;
		off += (size_t)ret;
		sprintf(out + strlen(out), "%u@%zu ", r->status, at + off);
	}
	free(copy);
}

/* methods: of the requests, by their first letters. Expected: status@end of each. */
static void answers(const char *methods, const char *s, size_t n, const char *expected)
{
	for (size_t cut = 0; cut <= n; cut++) {
		struct http1_response r = {0};
		char out[256] = "";

		for (const char *m = methods; *m; m++)
			http1_response_expect(&r, *m == 'H' ? "HEAD" : *m == 'C' ? "CONNECT" : "GET");
		feed(&r, s, cut, 0, out);
		feed(&r, s + cut, n - cut, cut, out);
		if (http1_response_until_close(&r))
			strcat(out, "until close");
		if (strcmp(out, expected))
			fail_msg("cut at %zu: %s, not %s, of\n%s", cut, out, expected, s);
	}
}

static void a_length_ends_it(void **state)
{
	ANSWERS("G", OK "content-length:  3 \r\n\r\nabc", "200@43 ");
	ANSWERS("G", OK "Content-Length: 0\r\n\r\n", "200@38 ");
	ANSWERS("GG", OK "Content-Length: 0\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", "200@38 200@77 ");
	ANSWERS("G", OK "Content-Length: 3\r\n\r\nab", "");
	ANSWERS("G", "HTTP/1.0 404\r\nX-Content-Length: 4\nContent-Length: 0\n\n", "404@53 ");
}

static void chunks_end_it(void **state)
{
	ANSWERS("G", OK CHUNKED "3\r\nabc\r\n0\r\n\r\n", "200@60 ");
	ANSWERS("G", OK "transfer-encoding: gzip, Chunked \r\n\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
		"200@84 ");
	ANSWERS("G", OK CHUNKED "3\r\nabcd", "lost!");
	ANSWERS("G", OK CHUNKED "x", "lost!");
	ANSWERS("G", OK CHUNKED "\r\n", "lost!");
	ANSWERS("G", OK CHUNKED "fffffffffffffffff\r\n", "lost!");
}

static void the_connections_end_ends_it(void **state)
{
	ANSWERS("G", OK "Connection: close\r\n\r\nabc", "until close");
	ANSWERS("G", OK "Transfer-Encoding: gzip\r\n\r\nabc", "until close");
}

static void some_have_no_body(void **state)
{
	ANSWERS("HG", OK "Content-Length: 9\r\n\r\n" OK "Content-Length: 0\r\n\r\n", "200@38 200@76 ");
	ANSWERS("H", OK CHUNKED, "200@47 ");
	ANSWERS("G", "HTTP/1.1 204 x\r\n\r\n", "204@18 ");
	ANSWERS("G", "HTTP/1.1 304 x\r\nContent-Length: 7\r\n\r\n", "304@37 ");
	ANSWERS("G", "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nLink: a\r\n\r\n" OK "Content-Length: 0\r\n\r\n",
		"200@83 ");
}

static void another_protocol_may_begin(void **state)
{
	ANSWERS("G", "HTTP/1.1 101 x\r\n\r\nabc", "101@18 over!");
	ANSWERS("G", "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 101 x\r\n\r\n", "101@36 ");
	ANSWERS("C", OK "\r\nabc", "200@19 over!");
	ANSWERS("C", "HTTP/1.1 403 x\r\nContent-Length: 1\r\n\r\na", "403@38 ");
}

static void in_doubt_it_is_lost(void **state)
{
	ANSWERS("", OK "\r\n", "lost!");
	ANSWERS("G", "HTTP/2 200\r\n\r\n", "lost!");
	ANSWERS("G", "HTTP/1.1 20\r\n\r\n", "lost!");
	ANSWERS("G", "HTTP/1.1 2000\r\n\r\n", "lost!");
	ANSWERS("G", "HTTP/1.1 099 x\r\n\r\n", "lost!");
	ANSWERS("G", OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", "lost!");
	ANSWERS("G", OK "Content-Length: 3, 3\r\n\r\n", "lost!");
	ANSWERS("G", OK "Content-Length: 1 2\r\n\r\n", "lost!");
	ANSWERS("G", OK "Content-Length: \r\n\r\n", "lost!");
	ANSWERS("G", OK "Content-Length: 99999999999999999999\r\n\r\n", "lost!");
	ANSWERS("G", OK "Content-Length: 3\r\n" CHUNKED, "lost!");
	ANSWERS("G", OK "Transfer-Encoding: chunked, gzip\r\n\r\n", "lost!");
	ANSWERS("G", OK "A: b\r\n c\r\n\r\n", "lost!");
	ANSWERS("G", OK "A: b\rc\r\n\r\n", "lost!");
	ANSWERS("GGGGGGGGGGGGGGGGG", "H", "lost!");
}

static void bodies_may_be_counted_only(void **state)
{
	struct http1_response r = {0};

	http1_response_expect(&r, "GET");
	http1_response_expect(&r, "GET");
	assert_int_equal(http1_response_feed(&r, OK CHUNKED "8\r\n", 50), 0);
	assert_int_equal(http1_response_skip(&r, 8), 0);
	assert_int_equal(http1_response_feed(&r, "\r\n0\r\n\r\n", 7), 7);
	assert_int_equal(http1_response_feed(&r, OK "Content-Length: 5\r\n\r\n", 38), 0);
	assert_int_equal(http1_response_skip(&r, 3), 0);
	assert_int_equal(http1_response_skip(&r, 4), 2);
	assert_int_equal(http1_response_skip(&r, 2), -EPROTO);
}

static void heads_are_bounded(void **state)
{
	struct http1_response r = {0};
	ssize_t ret = 0;

	http1_response_expect(&r, "GET");
	assert_int_equal(http1_response_feed(&r, OK "A: ", 20), 0);
	for (size_t i = 0; i < HTTP1_RESPONSE_HEAD_MAX && !ret; i++)
		ret = http1_response_feed(&r, "x", 1);
	assert_int_equal(ret, -E2BIG);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_length_ends_it),
    cmocka_unit_test(chunks_end_it),
    cmocka_unit_test(the_connections_end_ends_it),
    cmocka_unit_test(some_have_no_body),
    cmocka_unit_test(another_protocol_may_begin),
    cmocka_unit_test(in_doubt_it_is_lost),
    cmocka_unit_test(bodies_may_be_counted_only),
    cmocka_unit_test(heads_are_bounded),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
