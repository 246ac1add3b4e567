/* SPDX-License-Identifier: Apache-2.0 */
/* shim/protocol.c: what real programs said to each other, and what other clients say first. */
#include "test/unit/captures.h"
#include "test/unit/conversation.h"

#define TP "00-11111111111111111111111111111111-2222222222222226-01"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\ntraceparent: " TP "\r\n\r\n"
#define OK(body, n) "HTTP/1.1 200 OK\r\nContent-Length: " n "\r\n\r\n" body

static void nginx_asks_php(void **state)
{
	goes(TURNS(nginx_php), "GET /a.php 2; answered 0; POST /b.php -; answered 0; ");
}

static void nginx_asks_uwsgi(void **state)
{
	goes(TURNS(nginx_uwsgi), "POST /u/v 2; answered 200; ");
}

static void psql_sends_a_statement(void **state)
{
	goes(TURNS(psql_select), "SELECT  2; answered 0; ");
}

static void psql_copies(void **state)
{
	goes(TURNS(psql_copy), "CREATE  -; answered 0; COPY  -; answered 0; SELECT  -; answered 0; ");
}

static void http1_is_asked_and_answered(void **state)
{
	GOES("GET /a 6; answered 200; HEAD / -; answered 404; ", C(GET("/a?b")), S(OK("abc", "3")),
	     C("HEAD / HTTP/1.1\r\n\r\n"), S("HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\n"));
	GOES("GET /a 6; GET /b 6; answered 200; ", C(GET("/a") GET("/b")),
	     S(OK("abc", "3") OK("", "0")));
	GOES("GET /a 6; GET /b 6; ", C(GET("/a") GET("/b")), S(OK("abc", "3")));
}

static void bodies_may_go_by_unseen(void **state)
{
	GOES("GET /a 6; answered 200; ", C(GET("/a")), S(OK("", "4")), {'s', "abcd", 4});
	GOES("GET /a 6; lost; ", C(GET("/a")), {'s', "abcd", 4}, S(OK("", "0")));
}

static void a_body_that_is_too_long_loses_the_answers(void **state)
{
	static const struct turn t[] = {C(GET("/a")), S(OK("", "4")), {'s', "abcde", 5}};
	struct report r;

	play(TURNS(t), 0, 1000, &r);
	assert_string_equal(r.text, "GET /a 6; lost; ");
}

static void an_upgrade_ends_http1(void **state)
{
	GOES("GET / -; lost; EPROTO! ",
	     C("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
	     S("HTTP/1.1 101 Switching\r\n\r\n"), C("\x81\x05"), S("\x81\x02hi"));
}

#define UPGRADE(to)                                                                                \
	"GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: " to "\r\n\r\n"

static void http2_begins_behind_the_answer_to_its_upgrade(void **state)
{
	static const struct turn t[] = {C(UPGRADE("h2c")), S("HTTP/1.1 101 x\r\n\r\n\0\0\0\4")};
	struct report r;

	GOES("GET / -; HTTP/2; ", C(UPGRADE("h2c")), S("HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n"));
	play(TURNS(t), 0, 1000, &r);
	assert_string_equal(r.text, "GET / -; HTTP/2; ");
	assert_int_equal(r.marks, 2);
	assert_int_equal(r.at[1], t[0].n + 18);
	GOES("GET / -; answered 200; GET /a 6; ", C(UPGRADE("h2c")), S(OK("", "0")), C(GET("/a")));
	GOES("GET / -; lost; ", C(UPGRADE("h2c, websocket")), S("HTTP/1.1 101 x\r\n\r\n"));
	GOES("GET / -; lost; ", C(UPGRADE("h2c\r\nUpgrade: h2c")), S("HTTP/1.1 101 x\r\n\r\n"));
	GOES("GET / -; lost; ", C("GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"),
	     S("HTTP/1.1 101 x\r\n\r\n"));
	GOES("POST / -; lost; ",
	     C("POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n"
	       "Content-Length: 2\r\n\r\n"),
	     S("HTTP/1.1 101 x\r\n\r\n"));
}

static void tls_begins_before_anything_else(void **state)
{
	GOES("TLS; ", C("\x16\x03"));
	GOES("EPROTO! ", C("\x16\x04\x01"));
}

static void what_tls_carries_is_followed(void **state)
{
	GOES("TLS; GET /a 6; answered 200; ", C("\x16\x03"), C(GET("/a")), S(OK("", "0")));
}

static void http2_begins_where_its_preface_does(void **state)
{
	struct report r;
	static const struct turn t[] = {C("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")};

	play(TURNS(t), 0, 100, &r);
	assert_int_equal(r.at[0], 0);
	GOES("HTTP/2! ", C("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	GOES("HTTP/2! ", C("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
}

static void a_proxy_header_is_skipped(void **state)
{
	static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" "abcdabcdefgh" GET("/a");

	GOES("GET /a 6; answered 200; ", C("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n" GET("/a")),
	     S(OK("", "0")));
	GOES("GET /a 6; ", {'C', v2, sizeof(v2) - 1});
	GOES("TLS; ", C("PROXY UNKNOWN\r\n\x16\x03"));
	GOES("EPROTO! ", C("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\nPROXY UNKNOWN\r\n"));
	GOES("EPROTO! ", C("PROXY 0123456789012345678901234567890123456789012345678901234567890123456789"
			   "012345678901234567890123456789012345678901234567890123456789\r\n"));
	GOES("EPROTO! ", C("\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c"));
}

static void other_protocols_are_given_up(void **state)
{
	GOES("EPROTO! ", C("*1\r\n$4\r\nPING\r\n"));
	GOES("EPROTO! ", C("get key\r\n"));
	GOES("EPROTO! ", C("PING\r\n"));
	GOES("lost; EPROTO! ", S("220 mail\r\n"), C("EHLO a\r\n"));
	GOES("lost; EPROTO! ", S("SSH-2.0-x\r\n"), C("SSH-2.0-y\r\n"));
	GOES("EPROTO! ", C("\x80\x01\x00\x01"));
	GOES("EPROTO! ", C("\0\x01\0\x01"));
	GOES("EPROTO! ", C("\x01\x02"));
}

static void postgres_negotiates(void **state)
{
#define SSL "\0\0\0\x08\x04\xd2\x16\x2f"
#define GSS "\0\0\0\x08\x04\xd2\x16\x30"
#define STARTUP "\0\0\0\x10\0\3\0\0user\0a\0\0"
#define READY "Z\0\0\0\5I"
#define QUERY "Q\0\0\0\x0dSELECT 1\0"
	GOES("SELECT  -; answered 0; ", C(GSS), S("N"), C(SSL), S("N"), C(STARTUP), S(READY), C(QUERY),
	     S(READY));
	GOES("TLS; ", C(SSL), S("S"), C("\x16"));
	GOES("TLS; SELECT  -; ", C(SSL), S("S"), C("\x16"), C(STARTUP QUERY));
	GOES("EPROTO! ", C("\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2"));
	GOES("EPROTO! ", C(STARTUP "?\0\0\0\4"));
	GOES("EPROTO! ", C(STARTUP "Q\0\0\0\3"));
	GOES("SELECT  -; lost; ", C(STARTUP QUERY), S("\0\0\0\0\0"));
}

#define P(name, text, size) "P\0\0\0" size name "\0" text "\0\0\0"
#define B(name, size) "B\0\0\0" size "\0" name "\0\0\0\0\0\0\0"
#define E "E\0\0\0\x09\0\0\0\0\0"
#define SYNC "S\0\0\0\4"
#define COMMENT(d) "/*traceparent='00-11111111111111111111111111111111-222222222222222" d "-01'*/"

static void a_statement_executed_later_is_nobodys(void **state)
{
	GOES("SELECT  7; answered 0; EXECUTE  -; answered 0; ", C(STARTUP),
	     C(P("s", "SELECT 1" COMMENT("7"), "\x5a") B("s", "\x0d") E SYNC), S(READY),
	     C(B("s", "\x0d") E SYNC), S(READY));
}

/* A client that prepares before it executes does both for the same request; others come later. */
static void a_statement_executed_at_once_is_its_preparers(void **state)
{
#define PREPARED P("s", "SELECT 1" COMMENT("7"), "\x5a")
	GOES("SELECT  7; answered 0; EXECUTE  7; answered 0; EXECUTE  -; answered 0; ", C(STARTUP),
	     C(PREPARED SYNC), S(READY), C(B("s", "\x0d") E SYNC), S(READY),
	     C(B("s", "\x0d") E SYNC), S(READY));
	GOES("SELECT  7; EXECUTE  7; answered 0; ", C(STARTUP),
	     C(PREPARED "D\0\0\0\7Ss\0H\0\0\0\4"), C(B("s", "\x0d") E SYNC), S(READY));
	GOES("SELECT  7; answered 0; EXECUTE  -; answered 0; EXECUTE  -; answered 0; ", C(STARTUP),
	     C(PREPARED SYNC), S(READY), C(B("r", "\x0d") E SYNC), S(READY),
	     C(B("s", "\x0d") E SYNC), S(READY));
	GOES("SELECT  7; answered 0; EXECUTE  -; answered 0; ", C(STARTUP), C(PREPARED SYNC),
	     S(READY), C(B("s", "\x0d") E B("r", "\x0d") E SYNC), S(READY));
	GOES("SELECT  7; answered 0; SELECT  -; answered 0; EXECUTE  -; answered 0; ", C(STARTUP),
	     C(PREPARED SYNC), S(READY), C(QUERY), S(READY), C(B("s", "\x0d") E SYNC), S(READY));
	GOES("SELECT  7; answered 0; EXECUTE  -; answered 0; ", C(STARTUP),
	     C(PREPARED P("r", "SELECT 2", "\x11") SYNC), S(READY), C(B("s", "\x0d") E SYNC),
	     S(READY));
}

static void a_batch_has_one_context_or_none(void **state)
{
	GOES("SELECT  7; answered 0; ", C(STARTUP),
	     C(P("", "BEGIN", "\x0d") B("", "\x0c") E P("", "SELECT 1" COMMENT("7"), "\x59")
		   B("", "\x0c") E SYNC),
	     S(READY));
	GOES("SELECT  -; answered 0; ", C(STARTUP),
	     C(P("", "SELECT 1" COMMENT("8"), "\x59") E P("", "SELECT 1" COMMENT("7"), "\x59") E SYNC),
	     S(READY));
}

static void pgbench_parses_each_time(void **state)
{
	goes(TURNS(pgbench_extended), "SELECT  3; answered 0; SELECT  3; answered 0; ");
}

static void pgbench_parses_once(void **state)
{
	goes(TURNS(pgbench_prepared),
	     "SELECT  3; answered 0; EXECUTE  3; answered 0; EXECUTE  -; answered 0; ");
}

/* A greeting of 30 bytes; a handshake response without and with what its name says. */
#define ZEROS10 "\0\0\0\0\0\0\0\0\0\0"
#define ZEROS28 ZEROS10 ZEROS10 "\0\0\0\0\0\0\0\0"
#define GREETING "\x1e\0\0\0\x0a" ZEROS28 "\0"
#define LOGIN "\x20\0\0\1\0\2\0\0" ZEROS28
#define LOGIN_TLS "\x20\0\0\1\0\x0a\0\0" ZEROS28
#define LOGIN_COMPRESSED "\x20\0\0\1\x20\2\0\0" ZEROS28
#define LOGIN_ATTRIBUTES "\x20\0\0\1\0\2\0\x08" ZEROS28

static void mariadb_queries(void **state)
{
	goes(TURNS(mariadb_select), "SELECT  2; answered 0; SELECT  -; answered 0; ");
}

static void mysql_speaks_first(void **state)
{
	GOES("SELECT  -; ", S(GREETING), C(LOGIN), C("\x09\0\0\0\3SELECT 1"));
	GOES("EPROTO! ", S(GREETING), C(LOGIN_COMPRESSED));
	GOES("TLS; ", S(GREETING), C(LOGIN_TLS));
	GOES("EPROTO! ", S(GREETING), C("GET / HTTP/1.1\r\n"));
	GOES("EPROTO! ", C(LOGIN));
}

static void mysql_statements_executed_later_are_nobodys(void **state)
{
	GOES("SELECT  7; EXECUTE  -; ", S(GREETING), C(LOGIN), C("\x52\0\0\0\x16SELECT 1" COMMENT("7")),
	     S("\0\0\0\0"), C("\x0a\0\0\0\x17\1\0\0\0\0\1\0\0\0"), C("\5\0\0\0\x19\1\0\0\0"),
	     C("\1\0\0\0\1"));
}

static void mysql_query_attributes_come_first(void **state)
{
	GOES("SELECT  7;   -; SELECT  7; ", S(GREETING), C(LOGIN_ATTRIBUTES),
	     C("\x54\0\0\0\3\0\1SELECT 1" COMMENT("7")), C("\x54\0\0\0\3\1\1SELECT 1" COMMENT("7")),
	     C("\x52\0\0\0\3SELECT 1" COMMENT("7")));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nginx_asks_php),
    cmocka_unit_test(nginx_asks_uwsgi),
    cmocka_unit_test(psql_sends_a_statement),
    cmocka_unit_test(psql_copies),
    cmocka_unit_test(http1_is_asked_and_answered),
    cmocka_unit_test(bodies_may_go_by_unseen),
    cmocka_unit_test(a_body_that_is_too_long_loses_the_answers),
    cmocka_unit_test(an_upgrade_ends_http1),
    cmocka_unit_test(http2_begins_behind_the_answer_to_its_upgrade),
    cmocka_unit_test(tls_begins_before_anything_else),
    cmocka_unit_test(what_tls_carries_is_followed),
    cmocka_unit_test(http2_begins_where_its_preface_does),
    cmocka_unit_test(a_proxy_header_is_skipped),
    cmocka_unit_test(other_protocols_are_given_up),
    cmocka_unit_test(postgres_negotiates),
    cmocka_unit_test(a_statement_executed_later_is_nobodys),
    cmocka_unit_test(a_statement_executed_at_once_is_its_preparers),
    cmocka_unit_test(a_batch_has_one_context_or_none),
    cmocka_unit_test(pgbench_parses_each_time),
    cmocka_unit_test(pgbench_parses_once),
    cmocka_unit_test(mariadb_queries),
    cmocka_unit_test(mysql_speaks_first),
    cmocka_unit_test(mysql_statements_executed_later_are_nobodys),
    cmocka_unit_test(mysql_query_attributes_come_first),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
