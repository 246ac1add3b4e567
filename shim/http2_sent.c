/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_sent.c - the direction of answers: which stream each frame is for and which it ends.
 * Headers are not decoded. Context: APP.
 */
#include <string.h>

#include "shim/http2_step.h"

/* This frame is the last of its stream: a reset, or END_STREAM with all of the header block out. */
static bool frame_ends(struct http2 *h)
{
	struct http2_frame *f = &h->out;

	if (f->type == HTTP2_RST_STREAM)
		return true;
	if (f->type == HTTP2_DATA)
		return f->flags & HTTP2_END_STREAM;
	if (f->type == HTTP2_HEADERS)
		h->out_ends = f->flags & HTTP2_END_STREAM;
	return h->out_ends && f->flags & HTTP2_END_HEADERS;
}

static bool is_answer(const struct http2_frame *f)
{
	return f->stream && (f->type == HTTP2_DATA || f->type == HTTP2_HEADERS ||
			     f->type == HTTP2_RST_STREAM || f->type == HTTP2_CONTINUATION);
}

/* Bytes of the frame went by, its last ones if none are left. */
static void frame_passed(struct http2 *h, http2_seen_fn *seen, void *arg)
{
	struct http2_frame *f = &h->out;

	if (is_answer(f)) {
		struct http2_stream *s = http2_find(h, f->stream);
		bool ended = !f->left && frame_ends(h);

		/* A stream that is over may be reset behind its answer, as its body is not wanted. */
		if (s || f->type != HTTP2_RST_STREAM)
			seen(arg, s, ended);
		if (s && f->type != HTTP2_RST_STREAM)
			s->answered = true;
		if (ended)
			http2_end(h, f->stream);
	}
	if (!f->left)
		f->got = 0;
}

/* The first word of a GOAWAY says which streams the server has taken up at most (section 6.8). */
static void take_goaway(struct http2 *h, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; bytes && i < n && h->goaway_got < 4; i++) {
		h->goaway = h->goaway << 8 | bytes[i];
		if (++h->goaway_got == 4)
			h->last_answered = h->goaway & 0x7fffffff;
	}
}

/* Bytes of one frame; how many. -EPROTO: a frame's header is not to be seen, or cannot be one. */
static ssize_t take_frame(struct http2 *h, const uint8_t *bytes, size_t n, http2_seen_fn *seen,
			  void *arg)
{
	struct http2_frame *f = &h->out;
	size_t took = 0, payload;

	if (!http2_frame_whole(f)) {
		if (!bytes)
			return -EPROTO;
		took = http2_frame_feed(f, bytes, n);
		if (!http2_frame_whole(f))
			return (ssize_t)took;
		if (!h->out_settled && f->type != HTTP2_SETTINGS)
			return -EPROTO;
		h->out_settled = 1;
		h->goaway_got = 0;
	}
	payload = n - took < f->left ? n - took : f->left;
	if (f->type == HTTP2_GOAWAY)
		take_goaway(h, bytes ? bytes + took : NULL, payload);
	f->left -= (uint32_t)payload;
	frame_passed(h, seen, arg);
	return (ssize_t)(took + payload);
}

uint32_t http2_last_answered(const struct http2 *h)
{
	return h->last_answered;
}

int http2_sent(struct http2 *h, const void *buf, size_t n, http2_seen_fn *seen, void *arg)
{
	const uint8_t *bytes = buf;
	size_t at = 0;

	while (at < n && !h->out_lost) {
		ssize_t took = take_frame(h, bytes ? bytes + at : NULL, n - at, seen, arg);

		if (took < 0)
			h->out_lost = 1;
		else
			at += (size_t)took;
	}
	return h->out_lost ? -EPROTO : 0;
}
