/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/http1.c over what follows a head: bodies and chunks, which must be skipped to the byte,
 * doubtful framing, tunnels and upgrades. The expectations are explained in http1_sees.h.
 */
#include "test/unit/http1_sees.h"

static void a_known_length_is_skipped_exactly(void **state)
{
	SEES(POST "Content-Length: 5\r\n\r\nab", "POST /p -; body");
	SEES(POST "Content-Length: 5\r\n\r\nabcde", "POST /p -; between");
	SEES(POST TP("1") "content-length: 52\r\n\r\n"
			  "GET /no HTTP/1.1\r\ntraceparent: nothing here yet\r\n\r\n\r\n" GET
			  "\r\n",
	     "POST /p 1; GET / -; between");
	SEES(POST "Content-Length: 0\r\n\r\n" GET "\r\n", "POST /p -; GET / -; between");
	SEES(POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab" GET "\r\n",
	     "POST /p -; GET / -; between");
	SEES(POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\na", "POST /p -; between");
}

static void a_doubtful_length_ends_the_scan(void **state)
{
	SEES(POST "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", "EPROTO");
	SEES(POST "Content-Length: 2, 2\r\n\r\n", "EPROTO");
	SEES(POST "Content-Length: +2\r\n\r\n", "EPROTO");
	SEES(POST "Content-Length: -2\r\n\r\n", "EPROTO");
	SEES(POST "Content-Length: 0x2\r\n\r\n", "EPROTO");
	SEES(POST "Content-Length:\r\n\r\n", "EPROTO");
	SEES(POST "Content-Length: 2\r\n 3\r\n\r\n", "EPROTO");
	SEES(POST "Content-Length : 2\r\n\r\n", "EPROTO");
	SEES(POST "Content-Length: 9223372036854775807\r\n\r\n", "EPROTO");
	SEES(POST "Content-Length: 18446744073709551617\r\n\r\n", "EPROTO");
	SEES(POST "Content-Length: 9000000000000000000\r\n\r\n", "POST /p -; body");
}

static void chunks_are_skipped_exactly(void **state)
{
	SEES(POST TP("1") CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n" GET TP("2") "\r\n",
	     "POST /p 1; GET / 2; between");
	SEES(POST CHUNKED "\r\n0000A;x=\"y\";z\r\n0123456789\r\n00 \t;e\r\n\r\n" GET "\r\n",
	     "POST /p -; GET / -; between");
	SEES(POST CHUNKED "\r\n2\r\n\r\n\r\n0\r\n\r\n", "POST /p -; between");
	SEES(POST CHUNKED "\r\n2d\r\nGET / HTTP/1.1\r\ntraceparent: not a header\r\n\r\n",
	     "POST /p -; body");
	SEES(POST CHUNKED "\r\n7fffffffffffffff\r\n", "POST /p -; body");
}

static void a_trailer_is_no_header(void **state)
{
	SEES(POST CHUNKED "\r\n1\r\na\r\n0\r\n" TP("1") " fold\r\nA: b\r\n\r\n" GET "\r\n",
	     "POST /p -; GET / -; between");
	SEES(POST TP("6") CHUNKED "\r\n0\r\n" TP("1"), "POST /p 6; body");
	SEES(POST CHUNKED "\r\n0\r\n" TP("1") "\r\n\r\n" GET "\r\n", "POST /p -; GET / -; between");
}

/* The bound is on the framing between two chunks, or an upload of small chunks would meet it. */
static void many_small_chunks_are_no_long_head(void **state)
{
	static const char begin[] = POST CHUNKED "\r\n", end[] = "0\r\n\r\n";
	size_t chunk = 1000, chunks = HTTP1_HEAD_MAX / 1000 + 10;
	size_t n = strlen(begin) + chunk * chunks + strlen(end);
	char *s = malloc(n), *at = s + strlen(begin);

	assert_non_null(s);
	memset(s, 'x', n);
	memcpy(s, begin, strlen(begin));
	for (size_t i = 0; i < chunks; i++, at += chunk) {
		memcpy(at, "1;", 2);
		memcpy(at + chunk - 5, "\r\nx\r\n", 5);
	}
	memcpy(at, end, strlen(end));
	sees(s, n, "POST /p -; between");
	free(s);
}

static void broken_chunks_end_the_scan(void **state)
{
	SEES(POST CHUNKED "\r\n\r\n", "POST /p -; EPROTO");
	SEES(POST CHUNKED "\r\n3\r\nabcd\r\n", "POST /p -; EPROTO");
	SEES(POST CHUNKED "\r\n3 0\r\nabc\r\n", "POST /p -; EPROTO");
	SEES(POST CHUNKED "\r\n-1\r\n", "POST /p -; EPROTO");
	SEES(POST CHUNKED "\r\n0x3\r\n", "POST /p -; EPROTO");
	SEES(POST CHUNKED "\r\n10000000000000000\r\n", "POST /p -; EPROTO");
	SEES(POST CHUNKED "\r\n8000000000000000\r\n", "POST /p -; EPROTO");
	SEES(POST CHUNKED "\r\n1\r\na\r\n\r\n", "POST /p -; EPROTO");
	SEES(POST CHUNKED "\r\n3;a\rb\r\nabc", "POST /p -; EPROTO");
}

static void chunked_must_be_the_last_coding_and_wins_over_a_length(void **state)
{
	SEES(POST "Transfer-Encoding: gzip,\tChunked\r\n\r\n0\r\n\r\n", "POST /p -; between");
	SEES(POST "Transfer-Encoding: gzip\r\n" CHUNKED "\r\n0\r\n\r\n", "POST /p -; between");
	SEES(POST "Content-Length: 9\r\n" CHUNKED "\r\n0\r\n\r\n", "POST /p -; between");
	SEES(POST "Transfer-Encoding: gzip\r\n\r\n", "EPROTO");
	SEES(POST "Transfer-Encoding:\r\n\r\n", "EPROTO");
	SEES(POST "Transfer-Encoding: chunked, gzip\r\n\r\n", "EPROTO");
	SEES(POST CHUNKED CHUNKED "\r\n", "EPROTO");
	SEES(POST "Transfer-Encoding: xchunked\r\n\r\n", "EPROTO");
	SEES(POST "Transfer-Encoding: chunked;q=1\r\n\r\n", "EPROTO");
	SEES(POST "Transfer-Encoding:\r\n chunked\r\n\r\n", "EPROTO");
	SEES(POST "Transfer-Encoding : chunked\r\n\r\n", "EPROTO");
	SEES("POST / HTTP/1.0\r\n" CHUNKED "\r\n0\r\n\r\n", "POST / -; EPROTO");
}

static void after_connect_all_is_opaque(void **state)
{
	SEES("CONNECT a:443 HTTP/1.1\r\n" TP("6") "\r\n", "CONNECT a:443 6; opaque");
	SEES("CONNECT a:443 HTTP/1.1\r\n\r\n" GET "\r\n", "CONNECT a:443 -; EPROTO");
}

static void after_an_upgrade_only_a_request_line_goes_on(void **state)
{
#define UPGRADE GET "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" TP("6") "\r\n"
	SEES(UPGRADE, "GET / 6 up; between");
	SEES(UPGRADE GET "\r\n\r\n", "GET / 6 up; GET / -; between");
	SEES(UPGRADE "\x81\x85", "GET / 6 up; EPROTO");
	SEES(UPGRADE "\r\n" GET "\r\n", "GET / 6 up; EPROTO");
	SEES(UPGRADE "PRI * HTTP/2.0\r\n", "GET / 6 up; HTTP/2");
	SEES(GET "Upgrade: h2c\r\n\r\n", "GET / -; between");
	SEES(GET "Connection: upgraded\r\nUpgrade: h2c\r\n\r\n", "GET / -; between");
	SEES(GET "Upgrade: h2c\r\nConnection:\r\n upgrade\r\n\r\n", "GET / - up; between");
}

static void every_way_to_cut_in_three_is_the_same(void **state)
{
	static const char s[] = GET TP("1") "\r\n" POST CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n" GET
					    "Content-Length: 2\r\n\r\nxx\r\n" GET TP("2") "\r\n";
	struct record whole = run(s, sizeof(s) - 1, sizeof(s), 1), cut;

	assert_int_equal(whole.heads, 4);
	for (size_t i = 0; i < sizeof(s); i++) {
		for (size_t size = 1; size < sizeof(s) - i; size++) {
			cut = run(s, sizeof(s) - 1, i, size);
			assert_memory_equal(&whole, &cut, sizeof(cut));
		}
	}
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_known_length_is_skipped_exactly),
    cmocka_unit_test(a_doubtful_length_ends_the_scan),
    cmocka_unit_test(chunks_are_skipped_exactly),
    cmocka_unit_test(a_trailer_is_no_header),
    cmocka_unit_test(many_small_chunks_are_no_long_head),
    cmocka_unit_test(broken_chunks_end_the_scan),
    cmocka_unit_test(chunked_must_be_the_last_coding_and_wins_over_a_length),
    cmocka_unit_test(after_connect_all_is_opaque),
    cmocka_unit_test(after_an_upgrade_only_a_request_line_goes_on),
    cmocka_unit_test(every_way_to_cut_in_three_is_the_same),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
