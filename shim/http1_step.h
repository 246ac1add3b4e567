/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of the HTTP/1 scanner and the steps that leave them. Private to http1.c (which
 * drives), http1_head.c and http1_body.c. Context: APP.
 * A step is called with n > 0, takes in as many bytes as it has a use for and says how many (0
 * if it only changed the state; no two states do that to each other), or a -errno: give up.
 */
#ifndef SPANPROF_SHIM_HTTP1_STEP_H
#define SPANPROF_SHIM_HTTP1_STEP_H

#include <errno.h>

#include "shim/http1.h"

/* In the order of a message: http1_where() compares. */
enum http1_state {
	AT_START, /* zero: zeroed memory is an initialised scanner */
	IN_METHOD,
	IN_TARGET,
	IN_VERSION,
	AFTER_VERSION,
	AT_LINE, /* first byte of a line after the request line */
	IN_NAME,
	IN_VALUE,
	HEAD_DONE, /* no step begins in it */
	IN_BODY,
	IN_CHUNK_SIZE,
	AFTER_CHUNK_SIZE,
	IN_CHUNK,
	AFTER_CHUNK,
	AT_TRAILER,   /* first byte of a line after the last chunk */
	MESSAGE_DONE, /* no step begins in it */
	IN_SKIP,      /* the rest of a line that does not matter; p->next comes after it */
	AT_LF,	      /* CR was read; p->next comes after the LF */
	GIVEN_UP,
};

/* http1_head.c */
ssize_t http1_step_start(struct http1 *p, const char *s, size_t n);
ssize_t http1_step_method(struct http1 *p, const char *s, size_t n);
ssize_t http1_step_target(struct http1 *p, const char *s, size_t n);
ssize_t http1_step_version(struct http1 *p, const char *s, size_t n);
ssize_t http1_step_after_version(struct http1 *p, const char *s, size_t n);
ssize_t http1_step_line(struct http1 *p, const char *s, size_t n);
ssize_t http1_step_name(struct http1 *p, const char *s, size_t n);
ssize_t http1_step_value(struct http1 *p, const char *s, size_t n);

/* http1_body.c. The head is complete: which state is next? 0 or -EPROTO: in doubt. */
int http1_body_begin(struct http1 *p);

/* A body of known length and a chunk are one to http1_step_body(). */
ssize_t http1_step_body(struct http1 *p, const char *s, size_t n);
ssize_t http1_step_chunk_size(struct http1 *p, const char *s, size_t n);
ssize_t http1_step_after_chunk_size(struct http1 *p, const char *s, size_t n);
ssize_t http1_step_after_chunk(struct http1 *p, const char *s, size_t n);
ssize_t http1_step_trailer(struct http1 *p, const char *s, size_t n);

/* One line end, CRLF or (RFC 9112, section 2.2) a bare LF; a bare CR is for us no line end. */
static inline ssize_t http1_line_end(struct http1 *p, char c, enum http1_state next)
{
	if (c != '\r' && c != '\n')
		return -EPROTO;
	p->state = c == '\r' ? AT_LF : next;
	p->next = next;
	return 1;
}

/* The rest of this line does not matter, only that it is text. */
static inline ssize_t http1_skip_line(struct http1 *p, enum http1_state next)
{
	p->state = IN_SKIP;
	p->next = next;
	return 0;
}

/* For good: every later call of http1_feed() repeats the error. */
static inline ssize_t http1_give_up(struct http1 *p, ssize_t error)
{
	p->state = GIVEN_UP;
	p->error = (uint8_t)-error;
	return error;
}

#endif
