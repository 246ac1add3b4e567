/* SPDX-License-Identifier: Apache-2.0 */
/* shim/sqlcomment.c: which statements carry context. Each is fed whole and with a cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/sqlcomment.h"

#define TP(d) "traceparent='00-11111111111111111111111111111111-222222222222222" d "-01'"
#define C(d) "/*" TP(d) "*/"
/* A statement in both dialects, and in one. */
#define SAYS(sql, word, digit) (PG(sql, word, digit), MY(sql, word, digit))
#define PG(sql, word, digit) says(SQL_POSTGRES, sql, sizeof(sql) - 1, word, digit)
#define MY(sql, word, digit) says(SQL_MYSQL, sql, sizeof(sql) - 1, word, digit)

static void says(enum sql_dialect dialect, const char *sql, size_t n, const char *word, char digit)
{
	for (size_t cut = 0; cut <= n; cut++) {
		struct sqlcomment s;
		struct request_head head;
		struct trace_context context;
		char *first = malloc(cut + 1), *second = malloc(n - cut + 1);
		bool has;

		memcpy(first, sql, cut);
		memcpy(second, sql + cut, n - cut);
		sqlcomment_begin(&s, dialect, &head);
		sqlcomment_feed(&s, &head, first, cut);
		sqlcomment_feed(&s, &head, second, n - cut);
		has = sqlcomment_end(&s, &context);
		free(first);
		free(second);
		if ((has ? "0123456789abcdef"[context.span_id[7] & 15] : '-') != digit)
			fail_msg("cut at %zu: %s", cut, sql);
		assert_string_equal(head.method, word);
	}
}

static void a_comment_at_the_end_or_start_counts(void **state)
{
	SAYS("select 1 " C("3"), "SELECT", '3');
	SAYS("select 1" C("3") " ;\n", "SELECT", '3');
	SAYS(C("3") "select 1", "SELECT", '3');
	SAYS(" /* a */ -- b\n" C("3") "\n(Select 1)", "SELECT", '3');
	SAYS("select 1 " C("3") " + 2", "SELECT", '-');
	SAYS("select 1 " C("3") "; select 2", "SELECT", '-');
	SAYS("select 1 " C("3") "; select 2" C("4"), "SELECT", '4');
	SAYS(C("3") "select 1" C("4"), "SELECT", '4');
	SAYS("select 1 " C("3") " /* x */", "SELECT", '3');
	SAYS("select 1 " C("3") " -- x", "SELECT", '3');
	SAYS("select 1", "SELECT", '-');
	SAYS("", "", '-');
	SAYS(C("3"), "", '3');
}

static void pairs_are_read_as_sqlcommenter_writes_them(void **state)
{
	SAYS("select 1 /*action='%2Fparam*d',controller='it\\'s'," TP("3") ",z='a'*/", "SELECT", '3');
	SAYS("select 1 /* a='b' , " TP("3") " */", "SELECT", '3');
	SAYS("select 1 /*traceparent='00%2D11111111111111111111111111111111%2d2222222222222223%2D01'*/",
	     "SELECT", '3');
	SAYS("select 1 /*" TP("3") "," TP("4") "*/", "SELECT", '-');
	SAYS("select 1 /*" TP("3") " x*/", "SELECT", '-');
	SAYS("select 1 /*" TP("3") ",a='b*/", "SELECT", '-');
	SAYS("select 1 /*xtraceparent='00-11111111111111111111111111111111-2222222222222223-01'*/", "SELECT", '-');
	SAYS("select 1 /*traceparent=00-11111111111111111111111111111111-2222222222222223-01*/", "SELECT", '-');
	SAYS("select 1 /*traceparent='00-11111111111111111111111111111111-2222222222222223'*/", "SELECT", '-');
	SAYS("select 1 /*traceparent='%'*/", "SELECT", '-');
	SAYS("select 1 /*a='" TP("3") "'*/", "SELECT", '-');
	SAYS("select 1 /*" TP("3"), "SELECT", '-');
}

static void literals_hide_comments(void **state)
{
	SAYS("select '" C("3") "'", "SELECT", '-');
	SAYS("select 'a''b" "/*x='y'*/" "'" C("3"), "SELECT", '3');
	SAYS("select '/*' " C("3"), "SELECT", '3');
	SAYS("select '-- ' " C("3"), "SELECT", '3');
	SAYS("select \"a'b\" " C("3"), "SELECT", '3');
	SAYS("select 'open " C("3"), "SELECT", '-');
	SAYS("select 1 -- " C("3"), "SELECT", '-');
	SAYS("select 1 -- ' \n" C("3"), "SELECT", '3');
}

static void backslashes_are_each_dialects_own(void **state)
{
	MY("select 'a\\' " C("3"), "SELECT", '-');
	MY("select 'a\\'' " C("3"), "SELECT", '3');
	MY("select \"a\\\"\" " C("3"), "SELECT", '3');
	PG("select E'a\\'' " C("3"), "SELECT", '3');
	PG("select e'a''b\\' " C("3") "'", "SELECT", '-');
	PG("select 'C:\\x' " C("3"), "SELECT", '3');
	/* A setting of the server decides whether the literal ends here. */
	PG("select 'C:\\' " C("3"), "SELECT", '-');
	PG("select name'C:\\' " C("3"), "SELECT", '-');
}

static void postgres_quotes_by_dollars_and_nests_comments(void **state)
{
	PG("select $$ ' " C("3") "$$", "SELECT", '-');
	PG("select $a$ $$ $b$ ' $a$ " C("3"), "SELECT", '3');
	PG("select $a$ $a $a" C("3") "$a$", "SELECT", '-');
	PG("select $a$ $$a$ " C("3"), "SELECT", '3');
	PG("select $1, a$b$c " C("3"), "SELECT", '3');
	PG("select /* /* */ ' */ 1 " C("3"), "SELECT", '3');
	PG("select 1 /* /* x */ " C("3") " */", "SELECT", '-');
	PG("select 1 /*/**/*/" C("3"), "SELECT", '3');
	PG("select 1 --'\r" C("3"), "SELECT", '3');
	PG("select 5#3 " C("3"), "SELECT", '3');
}

static void mysql_has_comments_of_its_own(void **state)
{
	MY("select 1 # '\n" C("3"), "SELECT", '3');
	MY("select 1 # " C("3"), "SELECT", '-');
	MY("select 2--1 " C("3"), "SELECT", '3');
	MY("select 2---1 " C("3"), "SELECT", '3');
	MY("select `a'b` " C("3"), "SELECT", '3');
	MY("select /* /* */ 1 " C("3"), "SELECT", '3');
	MY("/*! select '*/ " C("3") "' */", "", '-');
	MY("select /*M!100100 '*/ " C("3"), "SELECT", '-');
	MY("select $$ ' $$ " C("3"), "SELECT", '-');
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_comment_at_the_end_or_start_counts),
    cmocka_unit_test(pairs_are_read_as_sqlcommenter_writes_them),
    cmocka_unit_test(literals_hide_comments),
    cmocka_unit_test(backslashes_are_each_dialects_own),
    cmocka_unit_test(postgres_quotes_by_dollars_and_nests_comments),
    cmocka_unit_test(mysql_has_comments_of_its_own),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
