/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace context in an SQL statement, as sqlcommenter writes it: key='value' pairs in a comment at the
 * statement's end or start. Incremental over a text of any length; string literals, quoted names and
 * other comments are followed as the server's lexer does, so that data is never taken for a comment.
 * Called by pgwire.c and mysqlwire.c. Context: APP; no allocation, no lock, no errno.
 */
#ifndef SPANPROF_SHIM_SQLCOMMENT_H
#define SPANPROF_SHIM_SQLCOMMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/request.h"

#define SQLCOMMENT_TEXT_MAX 64

enum sql_dialect { SQL_POSTGRES, SQL_MYSQL };

/* Private to sqlcomment.c. */
struct sqlcomment {
	struct trace_context context;	/* of the last comment that has one, if found */
	char text[SQLCOMMENT_TEXT_MAX]; /* a value, or the tag of a dollar quote */
	uint16_t depth;			/* of nested comments */
	uint8_t dialect;
	uint8_t state;
	uint8_t pair;	/* where in a key='value' pair a comment is */
	uint8_t length; /* of text, or of the key as far as it is the one we want */
	uint8_t match;	/* bytes of the closing tag that have been seen */
	uint8_t word;	/* length of the first keyword; over: it has ended */
	uint8_t identifier; /* length of the identifier before this byte, 2 at most */
	bool escapes;	    /* in this literal a backslash takes the next byte with it */
	bool star;	    /* the byte before was a star, in a comment */
	bool found, leading, named; /* this comment's: before any code; has a traceparent */
	bool code;		    /* something other than comments has been seen */
	bool doubt;		    /* a server's settings decide where a literal ends */
};

void sqlcomment_begin(struct sqlcomment *s, enum sql_dialect dialect, struct request_head *head);
/* The next n bytes of the statement. The first keyword goes into head->method. */
void sqlcomment_feed(struct sqlcomment *s, struct request_head *head, const char *bytes, size_t n);
/* The statement is complete. False, and *out zeroed: it carries no context. */
bool sqlcomment_end(const struct sqlcomment *s, struct trace_context *out);

#endif
