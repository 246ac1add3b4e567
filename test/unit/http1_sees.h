/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of shim/http1.c have in common. SEES() feeds a stream whole, cut in two at
 * every byte, and in small pieces of several sizes, and each way must give the same heads, ending
 * at the same bytes, and the same end; each piece is a heap block of its exact size. What a
 * stream must give is written as text: for each head its method, target, the last digit of its
 * span id ('-': no context) and "up" if it asks for an upgrade; then where the scanner is, or its
 * error.
 */
#ifndef SPANPROF_TEST_HTTP1_SEES_H
#define SPANPROF_TEST_HTTP1_SEES_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/http1.h"

#define VALUE(x) "00-12345678901234567890123456789012-123456789012345" x "-01"
#define TP(x) "traceparent: " VALUE(x) "\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST /p HTTP/1.1\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define SEES(stream, expected) sees(stream, sizeof(stream) - 1, expected)

struct record {
	struct {
		size_t at;
		struct request_head request;
	} head[16];
	size_t heads;
	ssize_t error;
	enum http1_where where;
};

/* Feed one piece that begins at byte `at` of the stream. */
static void feed(struct http1 *p, const char *s, size_t n, size_t at, struct record *r)
{
	char *piece = malloc(n ? n : 1);
	size_t off = 0;

	assert_non_null(piece);
	memcpy(piece, s, n);
	while (off < n && !r->error) {
		ssize_t took = http1_feed(p, piece + off, n - off);

		assert_true(took <= (ssize_t)(n - off));
		if (took == 0)
			break;
		if (took < 0) {
			r->error = took;
			break;
		}
		off += (size_t)took;
		assert_true(r->heads < sizeof(r->head) / sizeof(r->head[0]));
		r->head[r->heads].at = at + off;
		r->head[r->heads++].request = *http1_request(p);
	}
	free(piece);
}

/* The stream in pieces: the first of `cut` bytes, the others of `size`. */
static struct record run(const char *s, size_t n, size_t cut, size_t size)
{
	struct record r;
	struct http1 p;
	size_t at = cut < n ? cut : n;

	memset(&r, 0, sizeof(r));
	http1_init(&p);
	feed(&p, s, at, 0, &r);
	while (at < n) {
		size_t piece = size < n - at ? size : n - at;

		feed(&p, s + at, piece, at, &r);
		at += piece;
	}
	r.where = http1_where(&p);
	if (r.error) {
		assert_int_equal(r.where, HTTP1_OPAQUE);
		assert_int_equal(http1_feed(&p, GET, strlen(GET)), r.error);
	}
	return r;
}

static void render(const struct record *r, char *out, size_t size)
{
	static const char *const where[] = {"between", "head", "body", "opaque"};
	const char *end = where[r->where];
	size_t n = 0;

	for (size_t i = 0; i < r->heads; i++) {
		const struct request_head *q = &r->head[i].request;
		int digit = q->has_context ? "0123456789abcdef"[q->context.span_id[7] & 15] : '-';

		n += (size_t)snprintf(out + n, size - n, "%s %s %c%s; ", q->method, q->target,
				      digit, q->upgrade ? " up" : "");
		assert_true(n < size);
	}
	if (r->error == -EPROTO)
		end = "EPROTO";
	else if (r->error == -E2BIG)
		end = "E2BIG";
	else if (r->error)
		end = r->error == -EPROTONOSUPPORT ? "HTTP/2" : "?";
	snprintf(out + n, size - n, "%s", end);
}

static void sees(const char *s, size_t n, const char *expected)
{
	struct record whole = run(s, n, n, 1), cut;
	size_t stride = n / 1000 + 1; /* every byte, but for the huge ones */
	char text[1024];

	render(&whole, text, sizeof(text));
	assert_string_equal(text, expected);
	for (size_t i = 0; i < n; i += stride) {
		cut = run(s, n, i, n);
		if (memcmp(&whole, &cut, sizeof(cut)))
			fail_msg("cut at %zu, not the same:\n%s", i, s);
	}
	for (size_t size = 1; size <= 7; size += 2) {
		cut = run(s, n, 0, size);
		if (memcmp(&whole, &cut, sizeof(cut)))
			fail_msg("in pieces of %zu, not the same:\n%s", size, s);
	}
}

#endif
