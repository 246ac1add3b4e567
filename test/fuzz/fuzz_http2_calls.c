/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/2 scanner as connections of our own use it, on any bytes: what went out and what came back.
 * The first two bytes say where to cut each, the next two how long the first is. Whole and in two
 * pieces the same must come of it; and nghttp2's server, fed what went out, and its client, fed what
 * came back, must see no frame of a stream that was not seen here, nor in another order.
 */
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/http2.h"

#define EVENTS 256
#define CALLS 8 /* streams that are open when answers come */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct event {
	uint32_t stream;
	bool head, ended;
};

struct record {
	size_t count;
	struct event each[EVENTS];
};

static void check(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static void note(struct record *r, uint32_t stream, bool head, bool ended)
{
	if (r->count < EVENTS)
		r->each[r->count++] = (struct event){.stream = stream, .head = head, .ended = ended};
}

/* Pieces of one frame are one. */
static void seen(void *arg, struct http2_stream *stream, bool ended)
{
	if (stream)
		note(arg, stream->id, false, ended);
}

static int write_out(struct http2 *h, const uint8_t *s, size_t n, struct record *r)
{
	uint8_t *piece = malloc(n);
	ssize_t took = 1;

	memcpy(piece, s, n);
	for (size_t at = 0; took > 0; at += (size_t)took) {
		took = http2_feed_seen(h, piece + at, n - at, seen, r);
		check(took <= (ssize_t)(n - at));
		if (took <= 0)
			continue;
		note(r, http2_stream(h), true, false);
		http2_begin(h, http2_stream(h));
	}
	free(piece);
	return (int)took;
}

static int read_back(struct http2 *h, const uint8_t *s, size_t n, struct record *r)
{
	uint8_t *piece = malloc(n);
	int error;

	memcpy(piece, s, n);
	error = http2_sent(h, piece, n, seen, r);
	free(piece);
	return error;
}

static bool is_same(const struct event *a, const struct event *b)
{
	return a->stream == b->stream && a->head == b->head && a->ended == b->ended;
}

/* A frame that is cut is seen in both pieces, so that one more is. */
static void check_cut(const struct record *whole, const struct record *cut)
{
	size_t i = 0, more = 0;

	if (whole->count == EVENTS || cut->count == EVENTS)
		return;
	for (size_t j = 0; j < cut->count; j++) {
		if (i < whole->count && is_same(&whole->each[i], &cut->each[j]))
			i++;
		else
			more++;
	}
	check(i == whole->count && more <= 1);
}

/* What the library sees is among what we do, in that order. */
static void check_within(const struct record *ours, const struct record *theirs)
{
	size_t i = 0;

	if (ours->count == EVENTS)
		return;
	for (size_t j = 0; j < theirs->count; j++, i++) {
		while (i < ours->count && !is_same(&ours->each[i], &theirs->each[j]))
			i++;
		check(i < ours->count);
	}
}

struct library {
	struct record record;
	bool server, goaway;
	uint32_t last;
};

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct library *l = arg;
	uint32_t stream = (uint32_t)frame->hd.stream_id;
	bool reset = frame->hd.type == NGHTTP2_RST_STREAM;
	bool head = l->server && frame->hd.type == NGHTTP2_HEADERS &&
		    frame->headers.cat == NGHTTP2_HCAT_REQUEST;
	bool end = !l->server && frame->hd.type != NGHTTP2_RST_STREAM &&
		   frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (frame->hd.type == NGHTTP2_GOAWAY) {
		l->goaway = true;
		l->last = (uint32_t)frame->goaway.last_stream_id;
	}
	if (stream & 1 && (reset || frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA))
		note(&l->record, stream, head, reset || end);
	return 0;
}

static nghttp2_session *session_new(struct library *l)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;
	nghttp2_option *option;

	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_http_messaging(option, 1);
	if (l->server)
		check(!nghttp2_session_server_new2(&session, callbacks, l, option));
	else
		check(!nghttp2_session_client_new2(&session, callbacks, l, option));
	nghttp2_submit_settings(session, 0, NULL, 0);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

/* True: it took all without minding any. */
static bool run(struct library *l, const uint8_t *data, size_t n)
{
	nghttp2_nv field = {(uint8_t *)":method", (uint8_t *)"GET", 7, 3, NGHTTP2_NV_FLAG_NONE};
	nghttp2_session *session = session_new(l);
	const uint8_t *out;
	bool good = true;

	for (int i = 0; !l->server && i < CALLS; i++)
		check(nghttp2_submit_request(session, NULL, &field, 1, NULL, NULL) == 2 * i + 1);
	while (nghttp2_session_mem_send(session, &out) > 0)
		continue;
	while (n && good) {
		ssize_t took = nghttp2_session_mem_recv(session, data, n);

		good = took > 0 && nghttp2_session_want_read(session);
		data += took > 0 ? took : 0;
		n -= took > 0 ? (size_t)took : 0;
	}
	nghttp2_session_del(session);
	return good;
}

static void outgoing(const uint8_t *data, size_t n, size_t cut)
{
	static struct record whole, split;
	static struct library server;
	struct http2 *h = http2_open(0);
	int error, again;

	memset(&whole, 0, sizeof(whole));
	memset(&split, 0, sizeof(split));
	memset(&server, 0, sizeof(server));
	error = write_out(h, data, n, &whole);
	http2_close(h);
	h = http2_open(0);
	again = write_out(h, data, cut, &split);
	if (!again)
		again = write_out(h, data + cut, n - cut, &split);
	http2_close(h);
	check(error == again);
	check_cut(&whole, &split);
	server.server = true;
	run(&server, data, n);
	/* What we give up for and it does not is what costs too much. */
	if (!error || error == -EPROTO)
		check_within(&whole, &server.record);
}

static struct http2 *with_calls(void)
{
	struct http2 *h = http2_open(0);

	for (uint32_t i = 0; i < CALLS; i++)
		http2_begin(h, 2 * i + 1);
	return h;
}

static void incoming(const uint8_t *data, size_t n, size_t cut)
{
	static struct record whole, split;
	static struct library client;
	struct http2 *h = with_calls();
	uint32_t last;
	int error;

	memset(&whole, 0, sizeof(whole));
	memset(&split, 0, sizeof(split));
	memset(&client, 0, sizeof(client));
	error = read_back(h, data, n, &whole);
	last = http2_last_answered(h);
	http2_close(h);
	h = with_calls();
	check(read_back(h, data, cut, &split) >= error);
	check(read_back(h, data + cut, n - cut, &split) == error);
	check(http2_last_answered(h) == last);
	http2_close(h);
	check_cut(&whole, &split);
	if (run(&client, data, n) && client.goaway)
		check(client.last == last);
	check_within(&whole, &client.record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cut, out;

	if (size < 4)
		return 0;
	size -= 4;
	cut = (size_t)(data[0] | data[1] << 8);
	out = (size_t)(data[2] | data[3] << 8) % (size + 1);
	data += 4;
	outgoing(data, out, cut % (out + 1));
	incoming(data + out, size - out, cut % (size - out + 1));
	return 0;
}
