/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_streams.c - which of a connection's requests bytes are for. APP. One read may hold the heads of
 * several requests, and then only the frames that go out tell which was worked on; bytes that go out
 * for several at once tell nothing.
 */
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "shim/attribute.h"
#include "shim/conn_request.h"
#include "shim/conn_streams.h"
#include "shim/conn_table.h"
#include "shim/http2.h"
#include "shim/live.h"
#include "shim/thread.h"

void streams_begin(struct conn *c, size_t preface)
{
	conn_forget_request(c);
	c->http2 = http2_open(preface);
	if (!c->http2)
		c->kind = CONN_OPAQUE;
}

void streams_upgrade(struct conn *c)
{
	struct http2_stream *stream;

	c->http2 = http2_open(0);
	stream = c->http2 ? http2_begin(c->http2, 1) : NULL;
	if (!stream) {
		conn_forget_request(c);
		c->kind = CONN_OPAQUE;
		return;
	}
	stream->request = c->request;
	memset(&c->request, 0, sizeof(c->request));
}

void streams_forget(struct conn *c)
{
	struct http2_stream *streams;
	size_t count;

	if (!c->http2)
		return;
	streams = http2_streams(c->http2, &count);
	/* Those that a connection of our own is lent to go on without it. */
	for (size_t i = 0; c->kind != CONN_UPSTREAM && i < count; i++)
		live_end(streams[i].request.request);
	http2_close(c->http2);
	c->http2 = NULL;
}

static void give_up(struct conn *c)
{
	streams_forget(c);
	c->kind = CONN_OPAQUE;
}

void streams_received(struct thread *t, struct conn *c, const void *bytes, size_t n)
{
	const unsigned char *at = bytes;

	if (c->turn != t->attribution.turn)
		c->heads = 0;
	c->turn = t->attribution.turn;
	while (n && c->http2) {
		ssize_t used = http2_feed(c->http2, at, n);
		struct http2_stream *stream;

		if (used == 0)
			return;
		stream = used > 0 ? http2_begin(c->http2, http2_stream(c->http2)) : NULL;
		if (!stream) {
			give_up(c);
			return;
		}
		conn_request(t, &stream->request, http2_head(c->http2), true);
		c->heads += c->heads < UCHAR_MAX;
		c->new_heads = 1;
		at += used;
		n -= (size_t)used;
	}
}

void streams_told(struct thread *t, struct conn *c)
{
	bool is_new = c->new_heads;
	struct http2_stream *streams;
	size_t count;

	c->new_heads = 0;
	if (!c->http2) {
		attribute_read_unknown(t);
		return;
	}
	streams = http2_streams(c->http2, &count);
	/* The newest is the last; without a new one, the only one. Several may be begun in one read, or
	 * in several before any is worked on. */
	if (count && ((is_new && c->heads == 1) || http2_live(c->http2) == 1))
		attribute_read(t, &streams[count - 1].request);
	else if (is_new)
		attribute_read_several(t);
	else if (count)
		attribute_woken(t);
	else
		attribute_other(t);
}

static void seen(void *arg, struct http2_stream *stream, bool ended)
{
	struct streams_answer *a = arg;
	bool first = stream && !stream->answered;

	if (!stream) {
		a->mixed = true;
		return;
	}
	if (a->request && a->request != stream->request.request)
		a->mixed = true;
	a->request = stream->request.request;
	a->begins |= first;
	a->context = stream->request;
	if (!ended)
		return;
	if (a->ended_count < sizeof(a->ended) / sizeof(a->ended[0]))
		a->ended[a->ended_count++] = stream->request.request;
	else
		live_end(stream->request.request);
}

void streams_sent(struct streams_answer *a, const void *bytes, size_t n)
{
	if (a->conn->http2 && http2_sent(a->conn->http2, bytes, n, seen, a) < 0)
		give_up(a->conn);
}

static void note_writer(const struct thread *t, const struct streams_answer *a)
{
	if (!a->begins)
		return;
	if (a->conn->writer && a->conn->writer != t->tid)
		attribute_shared_answers();
	a->conn->writer = t->tid;
}

void streams_answered(struct thread *t, struct streams_answer *a)
{
	a->conn->heads = 0;
	note_writer(t, a);
	if (a->mixed)
		attribute_write_mixed(t);
	else if (a->request)
		attribute_write(t, &a->context, a->begins);
	else
		attribute_other(t);
	for (unsigned i = 0; i < a->ended_count; i++)
		live_end(a->ended[i]);
}
