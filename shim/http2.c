/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2.c - the direction of requests: walks the client's frames, hands header blocks to hpack.c
 * and reports the heads. Context: APP. A connection that breaks the protocol where that could make
 * up, hide or mix up a request is given up; what only a server would mind is let pass.
 */
#include "shim/http2.h"

#include <string.h>

#include "shim/http2_pool.h"
#include "shim/http2_step.h"

#define OWN ((uint32_t)((sizeof(struct http2) + 15) & ~(size_t)15))
_Static_assert(sizeof(struct http2) < HTTP2_BYTES_EACH / 3,
	       "most of a connection's memory is the decoder's");

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE (sizeof(preface) - 1)
#define STREAM_MAX 0x7fffffff

struct http2 *http2_open(size_t seen)
{
	struct http2 *h = seen <= PREFACE ? http2_pool_get() : NULL;

	if (!h)
		return NULL;
	memset(h, 0, sizeof(*h));
	h->preface = (uint8_t)seen;
	h->last_answered = STREAM_MAX;
	h->where = seen < PREFACE ? HTTP2_IN_PREFACE : HTTP2_IN_FRAME_HEADER;
	h->hpack = hpack_init((char *)h + OWN, HTTP2_BYTES_EACH - OWN);
	if (!h->hpack) {
		http2_close(h);
		return NULL;
	}
	return h;
}

void http2_close(struct http2 *h)
{
	http2_pool_put(h);
}

const struct request_head *http2_head(const struct http2 *h)
{
	return &h->head;
}

uint32_t http2_stream(const struct http2 *h)
{
	return h->block_stream;
}

bool http2_head_ends(const struct http2 *h)
{
	return h->ends;
}

static ssize_t step_preface(struct http2 *h, const uint8_t *bytes, size_t n)
{
	size_t take = PREFACE - h->preface;

	if (take > n)
		take = n;
	if (memcmp(bytes, preface + h->preface, take))
		return -EPROTO;
	h->preface += (uint8_t)take;
	if (h->preface == PREFACE)
		h->where = HTTP2_IN_FRAME_HEADER;
	return (ssize_t)take;
}

/* A frame that opens no stream, or a piece of one. */
static void note(struct http2 *h)
{
	struct http2_frame *f = &h->in;

	if (h->seen && f->stream)
		h->seen(h->seen_arg, http2_find(h, f->stream), f->type == HTTP2_RST_STREAM);
}

/* A new stream, or trailers: ids of new streams only grow (section 5.1.1). */
static int begin_headers(struct http2 *h)
{
	struct http2_frame *f = &h->in;

	if (!(f->stream & 1))
		return -EPROTO;
	h->prefix =
	    (uint8_t)((f->flags & HTTP2_PADDED ? 1 : 0) + (f->flags & HTTP2_PRIORITY ? 5 : 0));
	if (f->left < h->prefix)
		return -EPROTO;
	h->in_block = 1;
	h->block = 0;
	h->pad = 0;
	h->block_stream = f->stream;
	h->is_head = f->stream > h->last_stream;
	if (h->is_head) {
		h->last_stream = f->stream;
		h->ends = f->flags & HTTP2_END_STREAM;
		http2_head_begin(h);
	} else {
		note(h);
	}
	h->fragment = f->left - h->prefix;
	h->where = h->prefix ? HTTP2_IN_PREFIX : HTTP2_IN_FRAGMENT;
	return 0;
}

static int begin_frame(struct http2 *h)
{
	struct http2_frame *f = &h->in;

	/* What follows the preface without SETTINGS is no HTTP/2, whatever it looks like
	 * (section 3.4). */
	if (!h->settled && f->type != HTTP2_SETTINGS)
		return -EPROTO;
	h->settled = 1;
	if (h->in_block != (f->type == HTTP2_CONTINUATION))
		return -EPROTO;
	h->where = HTTP2_IN_REST;
	switch (f->type) {
	case HTTP2_HEADERS:
		return begin_headers(h);
	case HTTP2_CONTINUATION:
		h->fragment = f->left;
		h->where = HTTP2_IN_FRAGMENT;
		return f->stream == h->block_stream ? 0 : -EPROTO;
	case HTTP2_PUSH_PROMISE: /* clients make none, and its block would have to be decoded */
		return -EPROTO;
	case HTTP2_DATA:
	case HTTP2_RST_STREAM:
		note(h);
		return 0;
	default:
		return 0;
	}
}

static ssize_t step_frame_header(struct http2 *h, const uint8_t *bytes, size_t n)
{
	size_t took = http2_frame_feed(&h->in, bytes, n);
	int ret = http2_frame_whole(&h->in) ? begin_frame(h) : 0;

	return ret ? ret : (ssize_t)took;
}

static ssize_t step_prefix(struct http2 *h, const uint8_t *bytes, size_t n)
{
	/* The pad length comes first. */
	if (h->in.flags & HTTP2_PADDED && h->prefix == (h->in.flags & HTTP2_PRIORITY ? 6 : 1))
		h->pad = *bytes;
	h->prefix--;
	h->in.left--;
	if (h->prefix)
		return 1;
	if (h->pad > h->fragment)
		return -EPROTO;
	h->fragment -= h->pad;
	h->where = HTTP2_IN_FRAGMENT;
	return 1;
}

/* With no bytes left of the fragment this tells the decoder that the block is over. */
static ssize_t step_fragment(struct http2 *h, const uint8_t *bytes, size_t n)
{
	uint32_t take = n < h->fragment ? (uint32_t)n : h->fragment;
	int ret;

	/* Cut at the bound, so that it falls on the same byte however the stream was cut. */
	if (take > HTTP2_BLOCK_MAX - h->block)
		take = HTTP2_BLOCK_MAX - h->block;
	if (!take && h->fragment)
		return -E2BIG;
	h->block += take;
	h->in.left -= take;
	h->fragment -= take;
	ret = hpack_feed(h->hpack, bytes, take, !h->fragment && h->in.flags & HTTP2_END_HEADERS,
			 http2_head_header, h);
	if (ret)
		return ret;
	if (!h->fragment)
		h->where = HTTP2_IN_REST;
	return take;
}

static ssize_t step_rest(struct http2 *h, const uint8_t *bytes, size_t n)
{
	uint32_t take = n < h->in.left ? (uint32_t)n : h->in.left;

	h->in.left -= take;
	return take;
}

static ssize_t (*const steps[])(struct http2 *h, const uint8_t *bytes, size_t n) = {
    [HTTP2_IN_PREFACE] = step_preface, [HTTP2_IN_FRAME_HEADER] = step_frame_header,
    [HTTP2_IN_PREFIX] = step_prefix,   [HTTP2_IN_FRAGMENT] = step_fragment,
    [HTTP2_IN_REST] = step_rest,
};

static void end_frame(struct http2 *h)
{
	struct http2_frame *f = &h->in;

	if (f->type == HTTP2_RST_STREAM)
		http2_end(h, f->stream);
	if (h->in_block && f->flags & HTTP2_END_HEADERS) {
		h->in_block = 0;
		h->head_done = h->is_head;
		if (h->is_head)
			http2_head_end(h);
	}
	f->got = 0;
	h->where = HTTP2_IN_FRAME_HEADER;
}

/* Some steps need no byte: the end of an empty fragment, of an empty frame. */
static bool is_due(const struct http2 *h)
{
	if (h->where == HTTP2_IN_FRAGMENT)
		return !h->fragment;
	return h->where == HTTP2_IN_REST && !h->in.left;
}

/* More of a frame that an earlier call has begun. */
static void note_rest(struct http2 *h)
{
	if (h->where == HTTP2_IN_REST && h->in.type == HTTP2_DATA && h->in.left)
		note(h);
}

ssize_t http2_feed_seen(struct http2 *h, const void *bytes, size_t n, http2_seen_fn *seen, void *arg)
{
	ssize_t ret;

	h->seen = seen;
	h->seen_arg = arg;
	if (n)
		note_rest(h);
	ret = http2_feed(h, bytes, n);
	h->seen = NULL;
	return ret;
}

ssize_t http2_feed(struct http2 *h, const void *buf, size_t n)
{
	const uint8_t *bytes = buf;
	size_t at = 0;

	while (!h->error && (at < n || is_due(h))) {
		ssize_t took;

		if (h->where == HTTP2_IN_REST && !h->in.left) {
			end_frame(h);
			if (!h->head_done)
				continue;
			h->head_done = 0;
			return (ssize_t)at;
		}
		took = steps[h->where](h, bytes + at, n - at);
		if (took < 0)
			h->error = (int)took;
		else
			at += (size_t)took;
	}
	return h->error;
}
