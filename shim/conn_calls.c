/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_calls.c - whose call each frame is for that goes out to an HTTP/2 server or comes from one. APP.
 * Trace context in a head names its request. A head without is lent to the request that the thread works
 * on, unless the program is known to write heads later than it makes them, or for other threads: then a
 * write, and what is read, tells nothing but what is named.
 */
#include <stdatomic.h>
#include <string.h>

#include "shim/attribute.h"
#include "shim/conn_calls.h"
#include "shim/conn_calls_frames.h"
#include "shim/conn_table.h"
#include "shim/http2.h"
#include "shim/live.h"
#include "shim/request.h"
#include "shim/thread.h"

#define SOLE_STREAMS 4	  /* looked at to tell whether all are one request's */
#define DEFERRED_HEADS 1024 /* heads that come alone until those of one write are forgotten */

_Atomic uint32_t calls_deferred;

bool calls_begin(struct conn *c, size_t preface)
{
	c->http2 = http2_open(preface);
	c->heads = 0;
	return c->http2;
}

bool calls_upgrade(struct conn *c)
{
	struct http2_stream *stream = calls_begin(c, 0) ? http2_begin(c->http2, 1) : NULL;

	if (!stream)
		return false;
	stream->request = c->request;
	stream->guess = c->guess;
	c->heads = 1;
	return true;
}

bool calls_greeted(const struct iovec *vector, size_t count, size_t n)
{
	const unsigned char *b = vector && count ? vector->iov_base : NULL;

	/* A SETTINGS frame of at most 42 settings. */
	return b && vector->iov_len >= 9 && n >= 9 && !b[0] && !b[1] && b[2] % 6 == 0 && b[3] == 4 && !b[4] &&
	       !(b[5] | b[6] | b[7] | b[8]);
}

/* It names nobody from now on. */
static void give_up(struct conn *c)
{
	conn_forget_request(c);
	c->shared = c->unscanned = 1;
}

static void add(struct calls_frames *f, const struct feed_context *request, uint64_t guess)
{
	f->any = true;
	if (!request || !live_has(request->request)) {
		f->unknown = true;
	} else if (!f->request.flags) {
		f->request = *request;
		f->guess = guess;
	} else if (f->request.request != request->request) {
		f->several = true;
	}
}

static void seen(void *arg, struct http2_stream *stream, bool ended)
{
	add(arg, stream ? &stream->request : NULL, stream ? stream->guess : 0);
}

/* All that is unfinished on the connection is one request's: waiting for it is that one's work. */
static void find_sole(struct conn *c)
{
	size_t count;
	const struct http2_stream *s = http2_streams(c->http2, &count);
	bool same = count && count <= SOLE_STREAMS;

	for (size_t i = 1; same && i < count; i++)
		same = s[i].request.request == s[0].request.request;
	if (same)
		c->request = s[0].request;
	else
		memset(&c->request, 0, sizeof(c->request));
	c->guess = same ? s[0].guess : 0;
}

/* Another thread uses the connection at the same time: who writes may write for it, who reads read for it. */
static void note_user(struct calls_frames *f, bool is_busy)
{
	struct conn *c = f->conn;

	if (is_busy && c->writer && c->writer != f->thread->tid)
		c->carried = 1;
	if (f->heads)
		c->writer = f->thread->tid;
}

/* The head is another request's than known, or its program says so of others: it passes context on. */
static bool is_strange(struct conn *c, const struct request_head *head, const struct feed_context *known)
{
	bool traced = known && known->flags & FEED_CONTEXT_IDS;

	c->contexts |= head->has_context;
	if (!traced || !c->contexts)
		return false;
	return !head->has_context || memcmp(head->context.trace_id, known->trace_id, sizeof(known->trace_id));
}

static void begin_call(struct calls_frames *f, struct http2_stream *s, const struct request_head *head)
{
	struct feed_context request;

	f->heads++;
	if (head->has_context && live_of_trace(head->context.trace_id, &request)) {
		f->conn->contexts = 1;
		f->named = true;
		s->request = request;
		add(f, &request, 0);
	} else if (is_strange(f->conn, head, f->known) || f->unnamed_count == UNNAMED_MAX) {
		add(f, NULL, 0);
	} else {
		f->unnamed[f->unnamed_count++] = s->id;
	}
}

/* False: given up. */
static bool walk_sent(struct calls_frames *f, const unsigned char *at, size_t n)
{
	struct http2 *h = f->conn->http2;

	while (n) {
		ssize_t used = http2_feed_seen(h, at, n, seen, f);
		struct http2_stream *stream;

		if (used < 0)
			return false;
		if (used == 0)
			return true;
		stream = http2_begin(h, http2_stream(h));
		begin_call(f, stream, http2_head(h));
		at += used;
		n -= (size_t)used;
	}
	return true;
}

/* The connection was made for some request, and this is the first call on it. */
static bool is_awaited(const struct calls_frames *f)
{
	return !f->conn->heads && f->heads == 1 && live_has(f->conn->request.request);
}

/* Heads of several requests in one write, and one of another request than the thread works on, were made
 * earlier than they are written. */
static void note_deferred(const struct calls_frames *f, bool others)
{
	uint32_t left = atomic_load_explicit(&calls_deferred, memory_order_relaxed);
	bool other = f->named && f->known && f->known->request != f->request.request && !is_awaited(f);

	if ((f->heads > 1 && (others || !f->known)) || (other && others))
		atomic_store_explicit(&calls_deferred, DEFERRED_HEADS, memory_order_relaxed);
	else if (f->heads && left)
		atomic_store_explicit(&calls_deferred, left - 1, memory_order_relaxed);
}

/* Whose a head without context is. */
static const struct feed_context *lent_to(const struct calls_frames *f, bool others, uint64_t *guess)
{
	const struct conn *c = f->conn;
	bool late = !c->used && c->turn != f->thread->attribution.turn;

	*guess = c->guess;
	if (is_awaited(f))
		return &c->request;
	*guess = f->known_guess;
	if (c->carried)
		return NULL;
	if (others && (late || f->heads > 1 || atomic_load_explicit(&calls_deferred, memory_order_relaxed)))
		return NULL;
	return f->known;
}

static void note_awaited(struct calls_frames *f)
{
	bool same = f->request.request == f->conn->request.request;

	if (!is_awaited(f))
		return;
	f->awaited = f->any && same;
	f->misled = f->named && !same;
}

static void lend_unnamed(struct calls_frames *f, bool others)
{
	uint64_t guess;
	const struct feed_context *request = lent_to(f, others, &guess);

	for (unsigned i = 0; i < f->unnamed_count; i++) {
		struct http2_stream *s = http2_find(f->conn->http2, f->unnamed[i]);

		if (!s)
			continue;
		if (request) {
			s->request = *request;
			s->guess = guess;
		}
		add(f, request, guess);
	}
}

static struct calls_frames frames_of(struct thread *t, struct conn *c)
{
	struct calls_frames f = {.thread = t, .conn = c};

	f.known = attribute_guess(t, &f.known_guess);
	return f;
}

void calls_sent(struct thread *t, struct conn *c, const struct iovec *vector, size_t count, size_t n)
{
	struct calls_frames f = frames_of(t, c);
	bool others = attribute_among_others(t), is_busy = http2_live(c->http2) > 0, good = vector;

	for (size_t i = 0; good && i < count && n; i++) {
		size_t part = vector[i].iov_len < n ? vector[i].iov_len : n;

		good = walk_sent(&f, vector[i].iov_base, part);
		n -= part;
	}
	if (!good) {
		give_up(c);
		attribute_lost(t);
		return;
	}
	note_user(&f, is_busy);
	note_deferred(&f, others);
	lend_unnamed(&f, others);
	note_awaited(&f);
	c->used = 1;
	if (f.heads)
		c->heads = 1;
	if (c->heads)
		find_sole(c);
	calls_tell_sent(&f, others);
}

/* Those that the server has not taken up. */
static void end_refused(struct http2 *h)
{
	size_t count;
	const struct http2_stream *s = http2_streams(h, &count);

	while (count && s[count - 1].id > http2_last_answered(h)) {
		http2_end(h, s[count - 1].id);
		s = http2_streams(h, &count);
	}
}

void calls_received(struct thread *t, struct conn *c, const struct iovec *vector, size_t count,
		    size_t n, size_t skip)
{
	struct calls_frames f = frames_of(t, c);
	bool is_busy = http2_live(c->http2) > 0, upgraded = skip > 0;
	int error = vector ? 0 : http2_sent(c->http2, NULL, n, seen, &f);

	for (size_t i = 0; vector && !error && i < count && n; i++) {
		size_t part = vector[i].iov_len < n ? vector[i].iov_len : n;

		if (skip < part)
			error = http2_sent(c->http2, (char *)vector[i].iov_base + skip, part - skip, seen, &f);
		skip -= skip < part ? skip : part;
		n -= part;
	}
	if (error) {
		give_up(c);
		attribute_lost(t);
		return;
	}
	/* The 101 is the first part of the answer. */
	if (upgraded)
		add(&f, &c->request, c->guess);
	end_refused(c->http2);
	note_user(&f, is_busy && f.any);
	c->used = 1;
	if (c->heads)
		find_sole(c);
	calls_tell_received(&f);
}
