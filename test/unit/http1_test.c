/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/http1.c over heads: request lines, header lines, what is no HTTP/1, and the bounds.
 * The language of the expectations is explained in http1_sees.h.
 */
#include "test/unit/http1_sees.h"

static void a_request_with_a_traceparent_is_seen(void **state)
{
	struct record r = run(GET TP("6") "\r\n", sizeof(GET TP("6") "\r\n") - 1, 0, 5);

	assert_int_equal(r.heads, 1);
	assert_int_equal(r.head[0].request.context.trace_id[0], 0x12);
	assert_int_equal(r.head[0].request.context.span_id[7], 0x56);
	assert_int_equal(r.head[0].request.context.flags, 1);
	SEES(GET "Host: a\r\n" TP("6") "Accept: *\r\n\r\n", "GET / 6; between");
	SEES(GET TP("6"), "head");
}

static void a_request_without_one_is_seen_too(void **state)
{
	SEES(GET "\r\n", "GET / -; between");
	SEES("DELETE /x HTTP/1.0\r\nHost: a\r\n\r\n", "DELETE /x -; between");
	SEES("M-SEARCH * HTTP/1.1\r\n\r\n", "M-SEARCH * -; between");
}

static void an_invalid_traceparent_is_none(void **state)
{
	SEES(GET "traceparent: \r\n\r\n", "GET / -; between");
	SEES(GET "traceparent: nonsense\r\n\r\n", "GET / -; between");
	SEES(GET "traceparent: " VALUE("6") "-more\r\n\r\n", "GET / -; between");
	SEES(GET "traceparent: \"" VALUE("6") "\"\r\n\r\n", "GET / -; between");
}

static void a_later_version_may_be_longer_than_what_is_held(void **state)
{
	SEES(GET "traceparent: cc" VALUE("6") "\r\n\r\n", "GET / -; between");
	SEES(GET "traceparent: cc-12345678901234567890123456789012-1234567890123456-01-what-the-"
		 "future-will-be-like-if-it-goes-on-for-ever\r\n\r\n",
	     "GET / 6; between");
	SEES(GET "traceparent: " VALUE("6") "                                     \t\r\n\r\n",
	     "GET / 6; between");
}

static void two_traceparents_in_a_head_are_none(void **state)
{
	SEES(GET TP("1") TP("2") "\r\n", "GET / -; between");
	SEES(GET TP("1") "A: b\r\n" TP("1") "\r\n", "GET / -; between");
	SEES(GET TP("1") "Traceparent: x\r\n\r\n", "GET / -; between");
	SEES(GET "TRACEPARENT:\r\n" TP("1") TP("2") "\r\n", "GET / -; between");
	SEES(GET TP("1") "\r\n" GET TP("2") "\r\n", "GET / 1; GET / 2; between");
}

static void the_name_is_exact_but_for_case(void **state)
{
	SEES(GET "TraceParent: " VALUE("6") "\r\n\r\n", "GET / 6; between");
	SEES(GET "TrAcEpArEnT: " VALUE("6") "\r\n\r\n", "GET / 6; between");
	SEES(GET "TRACEPARENT:" VALUE("6") "\r\n\r\n", "GET / 6; between");
	SEES(GET "trace-parent: " VALUE("6") "\r\n\r\n", "GET / -; between");
	SEES(GET "trace.parent: " VALUE("6") "\r\n\r\n", "GET / -; between");
	SEES(GET "traceparent2: " VALUE("6") "\r\n\r\n", "GET / -; between");
	SEES(GET "x-traceparent: " VALUE("6") "\r\n\r\n", "GET / -; between");
	SEES(GET "traceparen: " VALUE("6") "\r\n\r\n", "GET / -; between");
}

static void white_space_around_the_value_does_not_count(void **state)
{
	SEES(GET "traceparent:\t \t" VALUE("6") " \t\r\n\r\n", "GET / 6; between");
	SEES(POST "Content-Length: \t3 \t\r\n\r\nabc" GET "\r\n", "POST /p -; GET / -; between");
}

static void a_malformed_header_line_is_ignored(void **state)
{
	SEES(GET ": " VALUE("1") "\r\nno colon\r\n" TP("6") "\r\n", "GET / 6; between");
	SEES(GET "traceparent : " VALUE("1") "\r\n\r\n", "GET / -; between");
	SEES(GET "traceparent\r\n" TP("6") "\r\n", "GET / 6; between");
	SEES(GET "traceparent\n: " VALUE("1") "\n\n", "GET / -; between");
}

static void a_folded_traceparent_is_none(void **state)
{
	SEES(GET "traceparent:\r\n " VALUE("6") "\r\n\r\n", "GET / -; between");
	SEES(GET "traceparent: " VALUE("6") "\r\n\t\r\n\r\n", "GET / -; between");
	SEES(GET "traceparent: 00-1234567890\r\n 1234567890123456789012\r\n\r\n",
	     "GET / -; between");
	SEES(GET TP("6") " folded\r\n" TP("6") "\r\n", "GET / -; between");
}

static void a_fold_neither_hides_nor_makes_a_header(void **state)
{
	SEES(GET "A: b\r\n " TP("1") "\r\n", "GET / -; between");
	SEES(GET "A: b\r\n c\r\n \r\n" TP("6") "\r\n", "GET / 6; between");
	SEES(GET " " TP("1") TP("6") "\r\n", "EPROTO");
	SEES(GET " \r\n" TP("6") "\r\n", "EPROTO");
	SEES(POST "A: b\n\tContent-Length: 40\r\n\r\n" GET "\r\n", "POST /p -; GET / -; between");
}

static void lines_may_end_in_a_bare_lf(void **state)
{
	SEES("GET /a HTTP/1.1\nHost: a\ntraceparent: " VALUE("6") "\n\nGET /b HTTP/1.1\n\r\n",
	     "GET /a 6; GET /b -; between");
	SEES(POST "Transfer-Encoding: chunked\n\n3\nabc\n0\n\n" GET "\n",
	     "POST /p -; GET / -; between");
}

static void a_bare_cr_or_a_nul_in_a_head_ends_the_scan(void **state)
{
	SEES(GET "A: b\rtraceparent: x\r\n\r\n", "EPROTO");
	SEES(GET "A: b\r\r\n\r\n", "EPROTO");
	SEES(GET "A: \0b\r\n\r\n", "EPROTO");
	SEES(GET "traceparent\0: " VALUE("6") "\r\n\r\n", "EPROTO");
	SEES(GET "traceparent: " VALUE("6") "\0\r\n\r\n", "EPROTO");
	SEES("GET /\0 HTTP/1.1\r\n\r\n", "EPROTO");
	SEES(GET "\rX", "EPROTO");
}

static void empty_lines_before_a_request_are_skipped(void **state)
{
	SEES("\r\n\n\r\n" GET TP("6") "\r\n", "GET / 6; between");
	SEES(GET "\r\n\r\n" GET "\r\n", "GET / -; GET / -; between");
	SEES("\r\n\r\n", "between");
	SEES("\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", "EPROTO");
}

static void the_target_is_the_path(void **state)
{
	SEES("GET /a?b=/c HTTP/1.1\r\n\r\n", "GET /a -; between");
	SEES("GET /a#b?c HTTP/1.1\r\n\r\n", "GET /a -; between");
	SEES("GET ?q HTTP/1.1\r\n\r\n", "GET  -; between");
	SEES("OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS * -; between");
	SEES("GET http://a:80/b/c?d HTTP/1.1\r\n\r\n", "GET /b/c -; between");
	SEES("GET https://a?b/c HTTP/1.1\r\n\r\n", "GET / -; between");
	SEES("GET /\xc3\xa9 HTTP/1.1\r\n\r\n", "GET /\xc3\xa9 -; between");
}

static void a_long_target_is_cut(void **state)
{
	char s[512], expected[256], path[300];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	snprintf(s, sizeof(s), "GET %.*s?q HTTP/1.1\r\n" TP("6") "\r\n", 300, path);
	snprintf(expected, sizeof(expected), "GET %.*s 6; between", REQUEST_TARGET_MAX, path);
	sees(s, strlen(s), expected);
}

static void the_http2_preface_is_told_apart(void **state)
{
	struct http1 p;

	SEES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2");
	SEES("\r\nPRI * HTTP/2.0\r\n", "EPROTO");
	SEES("PRI /x HTTP/2.0\r\n", "EPROTO");
	SEES("GET * HTTP/2.0\r\n", "EPROTO");
	http1_init(&p);
	assert_int_equal(http1_feed(&p, "PRI *", 5), 0);
	assert_int_equal(http1_pending(&p), 5);
	assert_int_equal(http1_feed(&p, " HTTP/2.0", 9), -EPROTONOSUPPORT);
}

static void other_protocols_are_given_up_at_once(void **state)
{
	SEES("\x16\x03\x01\x02", "EPROTO");
	SEES("*3\r\n$3\r\nSET\r\n", "EPROTO");
	SEES("get key\r\n", "EPROTO");
	SEES("PING\r\n", "EPROTO");
	SEES("EHLO there\r\n", "EPROTO");
	SEES("SET key 0 0 3\r\n", "EPROTO");
	SEES("HTTP/1.1 200 OK\r\n", "EPROTO");
	SEES("\0\0\0\x08\x04\xd2\x16\x2f", "EPROTO");
	SEES("ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n", "EPROTO");
	SEES("GET  / HTTP/1.1\r\n", "EPROTO");
	SEES("GET /\r\n", "EPROTO");
	SEES("GET / HTTP/1.x\r\n", "EPROTO");
	SEES("GET / HTTP/1.1 \r\n", "EPROTO");
	SEES("GET / http/1.1\r\n", "EPROTO");
}

/* A request whose head is n bytes long; the caller frees it. */

static char *long_head(size_t n)
{
	static const char begin[] = GET "Cookie: ", end[] = "\r\n" TP("6") "\r\n";
	char *s = malloc(n + 1);

	assert_non_null(s);
	memset(s, 'c', n);
	memcpy(s, begin, strlen(begin));
	memcpy(s + n - strlen(end), end, sizeof(end));
	return s;
}

static void heads_are_bounded_but_not_tightly(void **state)
{
	char *s = long_head(65536);

	sees(s, 65536, "GET / 6; between");
	free(s);
	s = long_head(HTTP1_HEAD_MAX);
	sees(s, HTTP1_HEAD_MAX, "GET / 6; between");
	free(s);
	s = long_head(HTTP1_HEAD_MAX + 1);
	sees(s, HTTP1_HEAD_MAX + 1, "E2BIG");
	free(s);
	s = long_head(HTTP1_HEAD_MAX + 1000);
	s[HTTP1_HEAD_MAX + 1] = '\0'; /* must not be looked at */
	sees(s, HTTP1_HEAD_MAX + 1000, "E2BIG");
	free(s);
}

static void it_is_small_enough_to_live_in_a_table(void **state)
{
	struct http1 p;

	assert_true(sizeof(p) <= 288);
	memset(&p, 0, sizeof(p));
	assert_int_equal(http1_where(&p), HTTP1_BETWEEN);
	assert_int_equal(http1_feed(&p, NULL, 0), 0);
	assert_int_equal(http1_feed(&p, GET "\r\n", strlen(GET) + 2), strlen(GET) + 2);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_with_a_traceparent_is_seen),
    cmocka_unit_test(a_request_without_one_is_seen_too),
    cmocka_unit_test(an_invalid_traceparent_is_none),
    cmocka_unit_test(a_later_version_may_be_longer_than_what_is_held),
    cmocka_unit_test(two_traceparents_in_a_head_are_none),
    cmocka_unit_test(the_name_is_exact_but_for_case),
    cmocka_unit_test(white_space_around_the_value_does_not_count),
    cmocka_unit_test(a_malformed_header_line_is_ignored),
    cmocka_unit_test(a_folded_traceparent_is_none),
    cmocka_unit_test(a_fold_neither_hides_nor_makes_a_header),
    cmocka_unit_test(lines_may_end_in_a_bare_lf),
    cmocka_unit_test(a_bare_cr_or_a_nul_in_a_head_ends_the_scan),
    cmocka_unit_test(empty_lines_before_a_request_are_skipped),
    cmocka_unit_test(the_target_is_the_path),
    cmocka_unit_test(a_long_target_is_cut),
    cmocka_unit_test(the_http2_preface_is_told_apart),
    cmocka_unit_test(other_protocols_are_given_up_at_once),
    cmocka_unit_test(heads_are_bounded_but_not_tightly),
    cmocka_unit_test(it_is_small_enough_to_live_in_a_table),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
