/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of the SQL scanner. Private to sqlcomment.c, which follows the statement, and
 * sqlcomment_pair.c, which reads the pairs in a comment. Context: APP.
 */
#ifndef SPANPROF_SHIM_SQLCOMMENT_STEP_H
#define SPANPROF_SHIM_SQLCOMMENT_STEP_H

#include "shim/sqlcomment.h"

enum sql_state {
	SQL_CODE,
	SQL_QUOTED,	 /* in '...' */
	SQL_QUOTED_NAME, /* in "..." */
	SQL_BACKQUOTED,
	SQL_ESCAPED,	  /* after a backslash in '...' */
	SQL_ESCAPED_NAME, /* ... in "..." */
	SQL_DASH,
	SQL_DASHES, /* MySQL: whether it is a comment depends on the next byte */
	SQL_LINE,   /* to the end of the line */
	SQL_SLASH,
	SQL_COMMENT,
	SQL_COMMENT_SLASH, /* PostgreSQL nests them */
	SQL_DOLLAR,	   /* in the tag of a dollar quote */
	SQL_DOLLAR_QUOTED,
};

enum sql_pair {
	PAIR_KEY,
	PAIR_EQUALS,
	PAIR_QUOTE,
	PAIR_VALUE,
	PAIR_ESCAPED,
	PAIR_COMMA,
	PAIR_NONE, /* not sqlcommenter's form */
};

void sqlcomment_pair_begin(struct sqlcomment *s);
void sqlcomment_pair_byte(struct sqlcomment *s, char c);
void sqlcomment_pair_end(struct sqlcomment *s);

#endif
