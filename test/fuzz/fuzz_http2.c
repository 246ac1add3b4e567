/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/2 scanner on any bytes. The first two say where to cut the rest: whole and in two pieces
 * (each a heap block of its exact size) it must report the same. And nghttp2's own server, fed the
 * same bytes, must see the same heads, as far as it goes along: it ends a connection for more
 * reasons.
 */
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shim/http2.h"

#define HEADS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct head {
	uint32_t stream;
	struct request_head head;
	bool ends;
};

struct record {
	size_t heads, at[HEADS];
	struct head head[HEADS];
	ssize_t error;
};

static void check(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static void feed(struct http2 *h, const uint8_t *s, size_t n, size_t at, struct record *r)
{
	uint8_t *piece = malloc(n);
	ssize_t took = 1;

	memcpy(piece, s, n);
	for (size_t off = 0; took > 0; off += (size_t)took) {
		took = http2_feed(h, piece + off, n - off);
		check(took <= (ssize_t)(n - off));
		if (took > 0 && r->heads < HEADS) {
			r->at[r->heads] = at + off + (size_t)took;
			r->head[r->heads].stream = http2_stream(h);
			r->head[r->heads].head = *http2_head(h);
			r->head[r->heads++].ends = http2_head_ends(h);
		}
	}
	r->error = took;
	free(piece);
}

/* What the library's server sees. */

struct server {
	struct record seen;
	struct head now; /* being received */
	unsigned traceparents;
};

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct server *s = arg;

	memset(&s->now, 0, sizeof(s->now));
	s->traceparents = 0;
	return 0;
}

static void copy(char *to, size_t room, const uint8_t *value, size_t n, const char *stops)
{
	size_t i = 0;

	for (; i < n && i < room && value[i] && !strchr(stops, value[i]); i++)
		to[i] = (char)value[i];
	to[i] = '\0';
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t a, const uint8_t *value, size_t b, uint8_t flags, void *arg)
{
	struct server *s = arg;
	struct request_head *head = &s->now.head;

	if (a == 7 && !memcmp(name, ":method", 7))
		copy(head->method, REQUEST_METHOD_MAX, value, b, "");
	if (a == 5 && !memcmp(name, ":path", 5))
		copy(head->target, REQUEST_TARGET_MAX, value, b, "?#");
	if (a == 11 && !strncasecmp((const char *)name, "traceparent", 11)) {
		memset(&head->context, 0, sizeof(head->context));
		head->has_context =
		    !s->traceparents++ && traceparent_parse((const char *)value, b, &head->context);
	}
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct server *s = arg;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST ||
	    s->seen.heads == HEADS)
		return 0;
	s->now.stream = (uint32_t)frame->hd.stream_id;
	s->now.ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	s->seen.head[s->seen.heads++] = s->now;
	return 0;
}

static void serve(struct server *s, const uint8_t *data, size_t n)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;
	nghttp2_option *option;

	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_http_messaging(option, 1);
	check(!nghttp2_session_server_new2(&session, callbacks, s, option));
	nghttp2_submit_settings(session, 0, NULL, 0);
	while (n) {
		ssize_t took = nghttp2_session_mem_recv(session, data, n);

		if (took <= 0 || !nghttp2_session_want_read(session))
			break;
		data += took;
		n -= (size_t)took;
	}
	nghttp2_session_del(session);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
}

static void seen(void *arg, struct http2_stream *stream, bool ended)
{
	*(size_t *)arg += 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct record whole, split;
	static struct server server;
	struct http2 *h;
	size_t cut, frames = 0, again = 0;
	int lost;

	if (size < 3)
		return 0;
	memset(&whole, 0, sizeof(whole));
	memset(&split, 0, sizeof(split));
	memset(&server, 0, sizeof(server));
	size -= 2;
	cut = (size_t)(data[0] | data[1] << 8) % size;
	data += 2;
	h = http2_open(0);
	feed(h, data, size, 0, &whole);
	http2_begin(h, 1);
	lost = http2_sent(h, data, size, seen, &frames);
	http2_close(h);

	h = http2_open(0);
	feed(h, data, cut, 0, &split);
	feed(h, data + cut, size - cut, cut, &split);
	http2_begin(h, 1);
	check(http2_sent(h, data, cut, seen, &again) >= lost);
	check(http2_sent(h, data + cut, size - cut, seen, &again) == lost);
	check(again == frames || again == frames + 1);
	http2_close(h);
	check(!memcmp(&whole, &split, sizeof(whole)));

	serve(&server, data, size);
	/* What it takes and we give up for is only what costs too much. */
	check(server.seen.heads <= whole.heads || whole.error == -E2BIG || whole.error == -ENOMEM);
	for (size_t i = 0; i < server.seen.heads && i < whole.heads; i++)
		check(!memcmp(&server.seen.head[i], &whole.head[i], sizeof(whole.head[i])));
	return 0;
}
