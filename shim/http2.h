/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2.h - requests as they go by on an HTTP/2 connection (RFC 9113; gRPC is the same): where each
 * head ends, what it asks for, its trace context; which of the live requests a written frame is
 * for. Fed the bytes of both directions in pieces of any size, cleartext or taken from a TLS
 * library. Context: APP. Memory comes from a pool of our own (http2_pool.h); errno and the host's
 * malloc stay untouched. The caller serialises calls on one connection.
 */
#ifndef SPANPROF_SHIM_HTTP2_H
#define SPANPROF_SHIM_HTTP2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim/feed.h"
#include "shim/request.h"

#define HTTP2_STREAMS_MAX 128	    /* live requests of a connection that are told apart */
#define HTTP2_BLOCK_MAX (64 * 1024) /* bytes of a header block, over all its frames */

struct http2;

/* A live request. request and guess are the caller's. */
struct http2_stream {
	uint32_t id;
	bool answered; /* a HEADERS or DATA frame went out for it, and its seen() has returned */
	uint64_t guess;
	struct feed_context request;
};

/*
 * A connection whose client has sent the first preface bytes of the preface already
 * (http1_pending() of the scanner that met it). NULL: HTTP2_CONNECTIONS_MAX are open. The request
 * of an HTTP/1 connection that was upgraded is stream 1: http2_begin() it.
 */
struct http2 *http2_open(size_t preface);
void http2_close(struct http2 *h);

/*
 * The next n bytes of the direction that requests go.
 *  > 0  the head of a new stream ended after that many: see http2_head(), then feed the rest;
 *    0  all taken in;
 *  < 0  for good: -EPROTO, -E2BIG (a block over HTTP2_BLOCK_MAX), -ENOMEM or -EFAULT.
 * However the bytes are cut, heads and error are the same. A stream that the client resets is
 * ended.
 */
ssize_t http2_feed(struct http2 *h, const void *bytes, size_t n);
/* The head that http2_feed() just reported; valid until the next call of it. */
const struct request_head *http2_head(const struct http2 *h);
uint32_t http2_stream(const struct http2 *h);
bool http2_head_ends(const struct http2 *h); /* no body follows: END_STREAM */

/*
 * A frame, or a piece of one, of a request's answer went by. stream: NULL if it is none that is
 * known to live. ended: the answer is complete, or reset, with this frame; stream is gone after the
 * call.
 */
typedef void http2_seen_fn(void *arg, struct http2_stream *stream, bool ended);
/*
 * The next n bytes of the direction that answers go; bytes may be NULL if they were not in memory
 * (sendfile), which only a frame's payload can be. seen is called once for each HEADERS,
 * CONTINUATION, DATA and RST_STREAM frame that they touch (the last only of a live stream). 0, or -EPROTO for good: from here on no
 * byte's stream is known.
 */
int http2_sent(struct http2 *h, const void *bytes, size_t n, http2_seen_fn *seen, void *arg);
/* As http2_feed(); and seen is called once for each DATA, RST_STREAM and trailers' frame that the bytes touch.
 * ended: the client has reset the stream. */
ssize_t http2_feed_seen(struct http2 *h, const void *bytes, size_t n, http2_seen_fn *seen, void *arg);
/* Streams above are not answered: the server has said so (GOAWAY). */
uint32_t http2_last_answered(const struct http2 *h);

/*
 * Live requests, in the order of their ids. Begin forgets the oldest of HTTP2_STREAMS_MAX; a
 * pointer is good until the next begin, end, feed or sent.
 */
struct http2_stream *http2_begin(struct http2 *h, uint32_t id);
struct http2_stream *http2_find(struct http2 *h, uint32_t id);
void http2_end(struct http2 *h, uint32_t id);
struct http2_stream *http2_streams(struct http2 *h, size_t *count);
/* How many are live, those forgotten included: only if this is 1 is the one found the only one. */
size_t http2_live(const struct http2 *h);

#endif
