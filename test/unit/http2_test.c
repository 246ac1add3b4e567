/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/http2.c: which heads are seen in the bytes of a client, cut anywhere. What is expected reads
 * "stream method target last-digit-of-the-span-id", "." after a head that ends its stream, and the
 * error if there is one.
 */
#include "shim/http1.h"
#include "shim/http2_pool.h"
#include "test/unit/http2_wire.h"

static struct wire w;
static char seen[8192];

static void note_head(struct http2 *h)
{
	const struct request_head *head = http2_head(h);
	size_t n = strlen(seen);

	snprintf(seen + n, sizeof(seen) - n, "%u %s %s %c%s; ", http2_stream(h), head->method,
		 head->target,
		 head->has_context ? "0123456789abcdef"[head->context.span_id[7] & 15] : '-',
		 http2_head_ends(h) ? "." : "");
}

static void feed(struct http2 *h, size_t from, size_t to)
{
	ssize_t took = 1;

	/* A block of its own: what is read beyond it is seen. */
	uint8_t *piece = malloc(to - from + 1);

	memcpy(piece, w.bytes + from, to - from);
	for (size_t at = 0; took > 0; at += (size_t)took) {
		took = http2_feed(h, piece + at, to - from - at);
		assert_true(took <= (ssize_t)(to - from - at));
		if (took > 0)
			note_head(h);
	}
	free(piece);
	if (took < 0)
		assert_int_equal(http2_feed(h, "x", 1), took);
}

static const char *error_name(ssize_t error)
{
	return error == 0 ? "" : error == -EPROTO ? "EPROTO" : error == -E2BIG ? "E2BIG" : "other";
}

/* Pieces of size bytes, the first of first. */
static void run(size_t first, size_t size)
{
	struct http2 *h = http2_open(0);

	assert_non_null(h);
	seen[0] = '\0';
	for (size_t at = 0, to = first; at < w.n; at = to, to += size)
		feed(h, at, to = to < w.n ? to : w.n);
	strcat(seen, error_name(http2_feed(h, "", 0)));
	http2_close(h);
}

static void sees(const char *wanted)
{
	run(w.n, 1);
	assert_string_equal(seen, wanted);
	run(1, 1);
	assert_string_equal(seen, wanted);
	run(7, 13);
	assert_string_equal(seen, wanted);
	for (size_t cut = 1; cut < w.n && w.n < 2048; cut++) {
		run(cut, w.n);
		assert_string_equal(seen, wanted);
	}
}

static void heads_of_real_clients_are_seen(void **state)
{
	captured(&w, "curl.requests");
	sees("1 GET /a 1.; ");
	captured(&w, "nghttp.requests");
	sees("13 POST /a 1; 15 POST /b 1; "); /* after five streams that are only priorities */
	captured(&w, "h2load.requests");
	sees(
	    "1 GET /a 3.; 3 GET /a 3.; 5 GET /a 3.; 7 GET /a 3.; 9 GET /a 3.; 11 GET /a 3.; "
	    "13 GET /a 3.; 15 GET /a 3.; 17 GET /a 3.; 19 GET /a 3.; 21 GET /a 3.; 23 GET /a 3.; ");
	captured(&w, "grpc.requests");
	sees("1 POST /shop.Cart/Add 1; 3 POST /shop.Cart/Add 2; 5 POST /shop.Cart/Add 3; ");
}

static void heads_among_bodies_of_other_streams_are_seen(void **state)
{
	start(&w, PREFACE);
	get(&w, 1, END_HEADERS, "/a?x=1", '1');
	get(&w, 3, END_HEADERS | END_STREAM, "/b#f", '-');
	frame(&w, DATA, 0, 1, "body", 4);
	get(&w, 9, END_HEADERS, "*", '2');
	frame(&w, DATA, END_STREAM, 9, "", 0);
	frame(&w, DATA, END_STREAM, 1, "", 0);
	sees("1 GET /a 1; 3 GET /b -.; 9 GET * 2; ");
}

static void padding_and_priority_are_no_header(void **state)
{
	uint8_t b[512];
	size_t n;

	start(&w, PREFACE);
	memcpy(b, "\3\0\0\0\0\x10", 6);
	n = 6 + get_block(b + 6, "/both", '1');
	memset(b + n, 0, 3);
	frame(&w, HEADERS, END_HEADERS | PADDED | PRIORITY, 1, b, n + 3);
	n = 5 + get_block(b + 5, "/priority", '2');
	frame(&w, HEADERS, END_HEADERS | PRIORITY, 3, b, n);
	b[0] = 255;
	n = 1 + get_block(b + 1, "/padded", '3');
	memset(b + n, 0xff, 255);
	frame(&w, HEADERS, END_HEADERS | PADDED, 5, b, n + 255);
	frame(&w, HEADERS, END_HEADERS | PADDED, 7, "\1\0", 2);
	frame(&w, HEADERS, END_HEADERS, 9, "", 0);
	sees("1 GET /both 1; 3 GET /priority 2; 5 GET /padded 3; 7   -; 9   -; ");
	frame(&w, HEADERS, END_HEADERS | PADDED, 11, "\2\0", 2);
	sees("1 GET /both 1; 3 GET /priority 2; 5 GET /padded 3; 7   -; 9   -; EPROTO");
	start(&w, PREFACE);
	frame(&w, HEADERS, END_HEADERS | PRIORITY, 1, "\0\0\0\0", 4);
	sees("EPROTO");
}

static void a_block_goes_on_over_continuations(void **state)
{
	uint8_t b[512];
	size_t n = get_block(b, "/long", '7');

	start(&w, PREFACE);
	frame(&w, HEADERS, END_STREAM, 1, b, 5);
	for (size_t i = 5; i < n; i++)
		frame(&w, CONTINUATION, 0, 1, b + i, 1);
	frame(&w, CONTINUATION, 0, 1, "", 0);
	frame(&w, CONTINUATION, END_HEADERS, 1, "", 0);
	get(&w, 3, END_HEADERS, "/", '1');
	sees("1 GET /long 7.; 3 GET / 1; ");
}

static void nothing_may_come_between_them(void **state)
{
	start(&w, PREFACE);
	frame(&w, HEADERS, 0, 1, "", 0);
	frame(&w, DATA, 0, 1, "x", 1);
	sees("EPROTO");
	start(&w, PREFACE);
	frame(&w, HEADERS, 0, 1, "", 0);
	frame(&w, CONTINUATION, END_HEADERS, 3, "\x82", 1);
	sees("EPROTO");
	start(&w, PREFACE);
	frame(&w, CONTINUATION, END_HEADERS, 1, "\x82", 1);
	sees("EPROTO");
}

static void trailers_are_no_request_but_belong_to_the_table(void **state)
{
	start(&w, PREFACE);
	get(&w, 1, END_HEADERS, "/a", '1');
	frame(&w, HEADERS, END_HEADERS | END_STREAM, 1, "\x44\2/t", 4); /* :path, indexed */
	frame(&w, HEADERS, END_HEADERS, 3, "\x82\xbe", 2);
	sees("1 GET /a 1; 3 GET /t -; ");
}

static void two_traceparents_or_a_bad_one_are_none(void **state)
{
	uint8_t b[512];
	size_t n;

	start(&w, PREFACE);
	n = get_block(b, "/two", '1');
	n += get_block(b + n, "/two", '1');
	frame(&w, HEADERS, END_HEADERS, 1, b, n);
	get(&w, 3, END_HEADERS, "/bad", 'x');
	get(&w, 5, END_HEADERS, "/good", '5');
	sees("1 GET /two -; 3 GET /bad -; 5 GET /good 5; ");
}

static void frames_of_other_kinds_are_passed_over(void **state)
{
	start(&w, PREFACE);
	for (int type = 2; type < 256; type++) {
		if (type != PUSH_PROMISE && type != CONTINUATION)
			frame(&w, (uint8_t)type, 0xff, 1, "\0\0\0\1", 4);
	}
	get(&w, 1, END_HEADERS, "/", '1');
	sees("1 GET / 1; ");
}

static void a_frame_may_be_as_large_as_its_length_says(void **state)
{
	struct http2 *h = http2_open(0);

	start(&w, PREFACE);
	put(&w, "\xff\xff\xff\0\0\0\0\0\1", 9);
	feed(h, 0, w.n);
	memset(w.bytes, 0x5a, sizeof(w.bytes));
	for (size_t left = 0xffffff, part; left; left -= part) {
		part = left < sizeof(w.bytes) ? left : sizeof(w.bytes);
		assert_int_equal(http2_feed(h, w.bytes, part), 0);
	}
	w.n = 0;
	get(&w, 1, END_HEADERS, "/", '1');
	assert_int_equal(http2_feed(h, w.bytes, w.n), w.n);
	http2_close(h);
}

static void what_a_client_must_not_send_gives_the_connection_up(void **state)
{
	start(&w, PREFACE);
	frame(&w, PUSH_PROMISE, END_HEADERS, 1, "\0\0\0\2\x82", 5);
	sees("EPROTO");
	start(&w, PREFACE);
	frame(&w, HEADERS, END_HEADERS, 2, "\x82", 1);
	sees("EPROTO");
	start(&w, PREFACE);
	frame(&w, HEADERS, END_HEADERS, 0, "\x82", 1);
	sees("EPROTO");
	start(&w, PREFACE);
	frame(&w, HEADERS, END_HEADERS, 1, "\xbe", 1);
	sees("EPROTO");
	start(&w, PREFACE);
	frame(&w, HEADERS, END_HEADERS, 1, "\x40\1a", 3); /* the value is missing */
	sees("EPROTO");
}

static void without_preface_and_settings_it_is_not_http2(void **state)
{
	start(&w, "PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n");
	sees("EPROTO");
	w.n = 0;
	put(&w, PREFACE, strlen(PREFACE));
	get(&w, 1, END_HEADERS, "/", '1');
	sees("EPROTO");
}

static void a_header_block_has_a_bound(void **state)
{
	static uint8_t b[16384];

	start(&w, PREFACE);
	memset(b, 0x82, sizeof(b));
	frame(&w, HEADERS, 0, 1, b, sizeof(b));
	for (int i = 0; i < 2; i++)
		frame(&w, CONTINUATION, 0, 1, b, sizeof(b));
	frame(&w, CONTINUATION, END_HEADERS, 1, b, sizeof(b));
	sees("1 GET  -; ");
	frame(&w, HEADERS, 0, 3, b, sizeof(b));
	for (int i = 0; i < 3; i++)
		frame(&w, CONTINUATION, 0, 3, b, sizeof(b));
	frame(&w, CONTINUATION, END_HEADERS, 3, b, 1);
	sees("1 GET  -; E2BIG");
}

static void a_reset_by_the_client_ends_the_stream(void **state)
{
	struct http2 *h = http2_open(0);

	start(&w, PREFACE);
	get(&w, 1, END_HEADERS, "/", '1');
	assert_int_equal(http2_feed(h, w.bytes, w.n), w.n);
	http2_begin(h, 1);
	assert_non_null(http2_find(h, 1));
	w.n = 0;
	frame(&w, RST_STREAM, 0, 1, "\0\0\0\10", 4);
	assert_int_equal(http2_feed(h, w.bytes, w.n), 0);
	assert_null(http2_find(h, 1));
	http2_close(h);
}

/* However the preface was cut, the HTTP/1 scanner hands over what it has seen. */
static void the_http1_scanner_hands_over(void **state)
{
	start(&w, PREFACE);
	get(&w, 1, END_HEADERS, "/", '1');
	for (size_t cut = 0; cut < w.n; cut++) {
		struct http1 scanner = {0};
		size_t at = 0, to = cut, pending = 0;
		struct http2 *h;

		for (; to <= w.n; at = to, to = w.n) {
			pending = http1_pending(&scanner);
			if (http1_feed(&scanner, w.bytes + at, to - at))
				break;
		}
		h = http2_open(pending);
		assert_non_null(h);
		seen[0] = '\0';
		feed(h, at, to);
		feed(h, to, w.n);
		assert_string_equal(seen, "1 GET / 1; ");
		http2_close(h);
	}
	assert_null(http2_open(strlen(PREFACE) + 1));
}

static void only_so_many_connections_are_followed(void **state)
{
	static struct http2 *open[HTTP2_CONNECTIONS_MAX];

	for (int turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < HTTP2_CONNECTIONS_MAX; i++)
			assert_non_null(open[i] = http2_open(24));
		assert_null(http2_open(24));
		http2_close(open[17]);
		assert_ptr_equal(http2_open(24), open[17]);
		for (size_t i = 0; i < HTTP2_CONNECTIONS_MAX; i++)
			http2_close(open[i]);
	}
	http2_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(heads_of_real_clients_are_seen),
	    cmocka_unit_test(heads_among_bodies_of_other_streams_are_seen),
	    cmocka_unit_test(padding_and_priority_are_no_header),
	    cmocka_unit_test(a_block_goes_on_over_continuations),
	    cmocka_unit_test(nothing_may_come_between_them),
	    cmocka_unit_test(trailers_are_no_request_but_belong_to_the_table),
	    cmocka_unit_test(two_traceparents_or_a_bad_one_are_none),
	    cmocka_unit_test(frames_of_other_kinds_are_passed_over),
	    cmocka_unit_test(a_frame_may_be_as_large_as_its_length_says),
	    cmocka_unit_test(what_a_client_must_not_send_gives_the_connection_up),
	    cmocka_unit_test(without_preface_and_settings_it_is_not_http2),
	    cmocka_unit_test(a_header_block_has_a_bound),
	    cmocka_unit_test(a_reset_by_the_client_ends_the_stream),
	    cmocka_unit_test(the_http1_scanner_hands_over),
	    cmocka_unit_test(only_so_many_connections_are_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
