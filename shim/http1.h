/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 requests as they go by on a connection, inbound or outbound: where each head ends, what it
 * asks for, which trace context it carries. An incremental scanner that lives inline in the fd table
 * and is fed every byte that the client sends, in pieces of any size, until it says that the
 * connection is not for it.
 * Context: APP. It allocates nothing, locks nothing, leaves errno alone and owns no state but
 * *p; the caller serialises calls on one *p. Zeroed memory is an initialised scanner.
 */
#ifndef SPANPROF_SHIM_HTTP1_H
#define SPANPROF_SHIM_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim/propagator.h"
#include "shim/request.h"

#define HTTP1_HEAD_MAX (256 * 1024) /* a head, or one chunk's size line with the trailers */
#define HTTP1_BLANK_MAX 16 /* bytes of empty lines before a request line */
#define HTTP1_VALUE_MAX PROPAGATOR_VALUE_MAX /* of a header that matters: as much as is held */

enum http1_where {
	HTTP1_BETWEEN, /* before the first byte of a request line */
	HTTP1_HEAD,
	HTTP1_BODY,
	HTTP1_OPAQUE, /* given up: feed only repeats its error */
};

/* Private to http1.c; here so that a table can hold it. */
struct http1 {
	struct request_head request;
	struct propagator propagator;
	char value[HTTP1_VALUE_MAX];
	uint64_t left;	/* of the body, or of this chunk */
	uint32_t head;	/* bytes of this head; of chunk framing in a chunked body */
	uint32_t pos;	/* in the token, value or number being read */
	uint32_t end;	/* of the value, trimmed; in a target: 1 after the path */
	uint16_t names;	/* bit set: headers that this line's name may yet turn out to be */
	uint8_t state;	/* enum http1_state */
	uint8_t next;	/* enum http1_state: after the line end that is awaited */
	uint8_t header; /* 1 + index of the header whose value is held, 0: none */
	uint8_t seen;	/* enum http1_seen */
	uint8_t error;	/* errno, once opaque */
};

void http1_init(struct http1 *p);

/*
 * Take in the next n bytes of the connection.
 *  > 0  a complete head ended after that many of them: see http1_request(), then feed the rest;
 *    0  all taken in, no head ended;
 *  < 0  -EPROTO (not HTTP/1, or not safely so), -E2BIG (a head over HTTP1_HEAD_MAX) or
 *       -EPROTONOSUPPORT (the HTTP/2 preface): for good, every further call says the same.
 * However the bytes are cut into calls, the heads reported and the final error are the same.
 */
ssize_t http1_feed(struct http1 *p, const void *buf, size_t n);

/* n bytes of the connection went by unseen. 0: all of them body; < 0: not for certain, given up. */
int http1_skip(struct http1 *p, uint64_t n);

enum http1_where http1_where(const struct http1 *p);

/* The head that http1_feed() just reported; valid until the next call of it. */
static inline const struct request_head *http1_request(const struct http1 *p)
{
	return &p->request;
}

/*
 * Bytes of an unfinished head that earlier calls took in. Asked before a call that then returns
 * -EPROTONOSUPPORT, it is how much of the HTTP/2 preface came before that call's buffer.
 */
static inline size_t http1_pending(const struct http1 *p)
{
	return http1_where(p) == HTTP1_HEAD ? p->head : 0;
}

#endif
