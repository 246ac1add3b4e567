/* SPDX-License-Identifier: Apache-2.0 */
/* shim/mysqlanswer.c by way of protocol.c: where the answers of a MySQL or MariaDB server end. */
#include "test/unit/conversation.h"

/* A packet, its number, what it holds. */
#define PACKET(size, number, bytes) size "\0\0" number bytes
#define ZEROS10 "\0\0\0\0\0\0\0\0\0\0"
#define ZEROS28 ZEROS10 ZEROS10 "\0\0\0\0\0\0\0\0"
/* The greeting, the client's capabilities, and what says that it may go on. */
#define ENTERS(capabilities)                                                                       \
	S(PACKET("\x1e", "\0", "\x0a" ZEROS28 "\0")),                                              \
	    C(PACKET("\x20", "\1", capabilities ZEROS28)), S(PACKET("\7", "\2", "\0\0\0\2\0\0\0"))
#define CLASSIC ENTERS("\0\2\0\0")
#define NO_EOF ENTERS("\0\2\0\1")
#define OPTIONAL_METADATA ENTERS("\0\2\0\2")
#define ASKS C(PACKET("\7", "\0", "\3SELECT"))
#define EXECUTES C(PACKET("\5", "\0", "\x17\1\0\0\0"))
#define PREPARES C(PACKET("\7", "\0", "\x16SELECT"))
#define PINGS C(PACKET("\1", "\0", "\x0e"))

#define OK(number, status) PACKET("\7", number, "\0\1\2" status "\0\0")
#define OK_LONG(number, status) PACKET("\xf", number, "\0\xfc\1\2\xfe\1\2\3\4\5\6\7\x8" status)
#define FAILS(number) PACKET("\3", number, "\xff\x48\4")
#define COLUMNS(number, n) PACKET("\1", number, n)
#define DEFINITION(number) PACKET("\5", number, "\3def\1")
#define END(number, status) PACKET("\5", number, "\xfe\0\0" status)
#define END_OK(number, status) PACKET("\7", number, "\xfe\0\0" status "\0\0")
#define ROW(number) PACKET("\2", number, "\1x")

static void one_packet_may_be_all(void **state)
{
	GOES("SELECT  -; answered 0; ", CLASSIC, ASKS, S(OK("\1", "\2\0")));
	GOES("SELECT  -; answered 0; ", CLASSIC, ASKS, S(OK_LONG("\1", "\2\0")));
	GOES("SELECT  -; answered 0; ", CLASSIC, ASKS, S(FAILS("\1")));
	GOES("  -; answered 0; ", CLASSIC, PINGS, S(OK("\1", "\2\0")));
	GOES("SELECT  -; answered 0;   -; answered 0; ", CLASSIC, ASKS, S(FAILS("\1")), PINGS,
	     S(OK("\1", "\2\0")));
}

static void rows_are_followed_to_their_end(void **state)
{
	GOES("SELECT  -; answered 0; ", CLASSIC, ASKS,
	     S(COLUMNS("\1", "\2") DEFINITION("\2") DEFINITION("\3") END("\4", "\2\0")),
	     S(ROW("\5") PACKET("\1", "\6", "\xfb") END("\7", "\2\0")));
	GOES("SELECT  -; answered 0; ", NO_EOF, ASKS, S(COLUMNS("\1", "\1") DEFINITION("\2")),
	     S(ROW("\3") END_OK("\4", "\2\0")));
	GOES("SELECT  -; answered 0; ", NO_EOF, ASKS,
	     S(COLUMNS("\1", "\1") DEFINITION("\2") END_OK("\3", "\2\0")));
	GOES("EXECUTE  -; answered 0; ", NO_EOF, EXECUTES,
	     S(COLUMNS("\1", "\1") DEFINITION("\2") ROW("\3") FAILS("\4")));
	GOES("SELECT  -; ", CLASSIC, ASKS,
	     S(COLUMNS("\1", "\1") DEFINITION("\2") END("\3", "\2\0") ROW("\4")));
	/* The server lacks what the client asks for. */
	GOES("SELECT  -; answered 0; ", NO_EOF, ASKS,
	     S(COLUMNS("\1", "\1") DEFINITION("\2") END("\3", "\2\0") ROW("\4") END("\5", "\2\0")));
}

static void more_results_may_follow(void **state)
{
	GOES("SELECT  -; answered 0; ", CLASSIC, ASKS, S(OK("\1", "\x0a\0")),
	     S(COLUMNS("\2", "\1") DEFINITION("\3") END("\4", "\x0a\0") ROW("\5")
		   END("\6", "\x0a\0")),
	     S(OK("\7", "\2\0")));
	GOES("SELECT  -; ", NO_EOF, ASKS,
	     S(COLUMNS("\1", "\1") DEFINITION("\2") END_OK("\3", "\x0a\0")));
}

static void a_cursor_has_no_rows_yet(void **state)
{
	GOES("EXECUTE  -; answered 0;   -; answered 0; ", CLASSIC, EXECUTES,
	     S(COLUMNS("\1", "\1") DEFINITION("\2") END("\3", "\x42\0")),
	     C(PACKET("\5", "\0", "\x1c\1\0\0\0")), S(ROW("\1") END("\2", "\x82\0")));
}

static void a_statement_is_prepared(void **state)
{
	GOES("SELECT  -; answered 0; ", CLASSIC, PREPARES,
	     S(PACKET("\x0c", "\1", "\0\1\0\0\0\1\0\2\0\0\0\0") DEFINITION("\2") DEFINITION("\3")),
	     S(END("\4", "\2\0") DEFINITION("\5") END("\6", "\2\0")));
	GOES("SELECT  -; answered 0; ", NO_EOF, PREPARES,
	     S(PACKET("\x0c", "\1", "\0\1\0\0\0\1\0\2\0\0\0\0") DEFINITION("\2") DEFINITION("\3")),
	     S(DEFINITION("\4")));
	GOES("SELECT  -; answered 0; ", CLASSIC, PREPARES,
	     S(PACKET("\x0c", "\1", "\0\1\0\0\0\0\0\0\0\0\0\0")));
	GOES("SELECT  -; answered 0; ", CLASSIC, PREPARES, S(FAILS("\1")));
}

#define COMMENT "/*traceparent='00-11111111111111111111111111111111-2222222222222227-01'*/"
#define PREPARES_TRACED C(PACKET("\x52", "\0", "\x16SELECT 1" COMMENT))
#define IS_PREPARED(id) S(PACKET("\x0c", "\1", "\0" id "\0\0\0\0\0\0\0\0\0\0"))
#define EXECUTES_ID(id) C(PACKET("\x0a", "\0", "\x17" id "\0\0\0\0\1\0\0\0"))
#define DONE S(OK("\1", "\2\0"))

static void a_statement_executed_at_once_is_its_preparers(void **state)
{
	GOES("SELECT  7; answered 0; EXECUTE  7; answered 0; EXECUTE  -; answered 0; ", CLASSIC,
	     PREPARES_TRACED, IS_PREPARED("\5"), EXECUTES_ID("\5"), DONE, EXECUTES_ID("\5"), DONE);
	GOES("SELECT  7; answered 0; EXECUTE  -; answered 0; EXECUTE  -; answered 0; ", CLASSIC,
	     PREPARES_TRACED, IS_PREPARED("\5"), EXECUTES_ID("\4"), DONE, EXECUTES_ID("\5"), DONE);
	GOES("SELECT  7; answered 0;   -; answered 0; EXECUTE  7; answered 0; ", CLASSIC,
	     PREPARES_TRACED, IS_PREPARED("\5"), C(PACKET("\5", "\0", "\x1a\5\0\0\0")), DONE,
	     EXECUTES_ID("\5"), DONE);
	GOES("SELECT  7; answered 0;   -; answered 0; EXECUTE  -; answered 0; ", CLASSIC,
	     PREPARES_TRACED, IS_PREPARED("\5"), PINGS, DONE, EXECUTES_ID("\5"), DONE);
	GOES("SELECT  7; answered 0; EXECUTE  -; answered 0; ", CLASSIC, PREPARES_TRACED,
	     S(FAILS("\1")), EXECUTES_ID("\0"), DONE);
}

static void a_file_goes_in(void **state)
{
	GOES("SELECT  -; answered 0;   -; answered 0; ", CLASSIC, ASKS,
	     S(PACKET("\2", "\1",
		      "\xfb"
		      "a")),
	     C(PACKET("\3", "\2", "1,2")), C(PACKET("\0", "\3", "")), S(OK("\4", "\2\0")), PINGS,
	     S(OK("\1", "\2\0")));
}

/* One of many packets has a command's number. */
static void a_files_packets_are_no_commands(void **state)
{
	static char file[255 * 9 + 4];
	static const struct turn begin[] = {CLASSIC, ASKS,
					    S(PACKET("\2", "\1",
						     "\xfb"
						     "a"))};
	struct turn t[8];
	struct report r;
	size_t n = sizeof(begin) / sizeof(begin[0]);

	for (unsigned i = 0; i < 255; i++) {
		memcpy(file + (size_t)i * 9, PACKET("\5", "\0", "\3DROP"), 9);
		file[i * 9 + 3] = (char)(i + 2);
	}
	file[sizeof(file) - 1] = 1;
	memcpy(t, begin, sizeof(begin));
	t[n++] = (struct turn){'C', file, sizeof(file)};
	t[n++] = (struct turn)S(OK("\2", "\2\0"));
	t[n++] = (struct turn)PINGS;
	play(t, n, 0, sizeof(file), &r);
	assert_string_equal(r.text, "SELECT  -; answered 0;   -; ");
	play(t, n, 0, 1, &r);
	assert_string_equal(r.text, "SELECT  -; answered 0;   -; ");
}

static void progress_is_no_error(void **state)
{
	GOES("SELECT  -; answered 0; ", CLASSIC, ASKS, S(PACKET("\6", "\1", "\xff\xff\xff\1\1\1")),
	     S(OK("\2", "\2\0")));
}

/* One that ends with a full packet has an empty one behind it. */
static void a_row_may_be_longer_than_a_packet(void **state)
{
	static char full[4 + 0xffffff];
	static const struct turn begin[] = {
	    CLASSIC, ASKS, S(COLUMNS("\1", "\1") DEFINITION("\2") END("\3", "\2\0"))};
	struct turn t[8];
	struct report r;
	size_t n = sizeof(begin) / sizeof(begin[0]);

	memcpy(full, "\xff\xff\xff\4\xfe", 5);
	memcpy(t, begin, sizeof(begin));
	t[n++] = (struct turn){'S', full, sizeof(full)};
	t[n++] = (struct turn)S(PACKET("\5", "\5", "\xfe\0\0\0\0") END("\6", "\2\0"));
	play(t, n, 0, sizeof(full), &r);
	assert_string_equal(r.text, "SELECT  -; answered 0; ");
	play(t, n - 1, 0, sizeof(full), &r);
	assert_string_equal(r.text, "SELECT  -; ");
}

static void what_is_not_known_has_no_end(void **state)
{
	GOES("SELECT  -;   -; ", OPTIONAL_METADATA, ASKS, S(OK("\1", "\2\0")), PINGS,
	     S(OK("\1", "\2\0")));
	GOES("  -;   -; answered 0; ", CLASSIC, C(PACKET("\5", "\0", "\x11user")),
	     S(OK("\1", "\2\0")), PINGS, S(OK("\1", "\2\0")));
	GOES("SELECT  -; SELECT  -;   -; answered 0; ", CLASSIC, ASKS, S(OK("\2", "\2\0")), ASKS,
	     S(PACKET("\1", "\1", "\0")), PINGS, S(OK("\1", "\2\0")));
	GOES("SELECT  -; SELECT  -; answered 0; ", CLASSIC, ASKS,
	     S(COLUMNS("\1", "\1") END("\2", "\2\0")), ASKS, S(OK("\1", "\2\0")));
}

static void what_is_not_seen_ends_all_knowledge(void **state)
{
	GOES("SELECT  -;   -; ", CLASSIC, ASKS, {'s', OK("\1", "\2\0"), 11}, PINGS,
	     S(OK("\1", "\2\0")));
}

static void of_two_commands_at_once_no_answers_are_told(void **state)
{
	GOES("SELECT  -;   -;   -; ", CLASSIC, ASKS, PINGS, S(OK("\1", "\2\0") OK("\1", "\2\0")),
	     PINGS, S(OK("\1", "\2\0")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_packet_may_be_all),
	    cmocka_unit_test(rows_are_followed_to_their_end),
	    cmocka_unit_test(more_results_may_follow),
	    cmocka_unit_test(a_cursor_has_no_rows_yet),
	    cmocka_unit_test(a_statement_is_prepared),
	    cmocka_unit_test(a_statement_executed_at_once_is_its_preparers),
	    cmocka_unit_test(a_file_goes_in),
	    cmocka_unit_test(a_files_packets_are_no_commands),
	    cmocka_unit_test(progress_is_no_error),
	    cmocka_unit_test(a_row_may_be_longer_than_a_packet),
	    cmocka_unit_test(what_is_not_known_has_no_end),
	    cmocka_unit_test(what_is_not_seen_ends_all_knowledge),
	    cmocka_unit_test(of_two_commands_at_once_no_answers_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
