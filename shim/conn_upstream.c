/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_upstream.c - on whose behalf the process talks to others. APP. A connection is lent where it is
 * made and again where it is written to; trace context in what goes out is the strongest witness,
 * because the program itself has put it there.
 */
#include <string.h>

#include "shim/attribute.h"
#include "shim/conn.h"
#include "shim/conn_calls.h"
#include "shim/conn_table.h"
#include "shim/conn_upstream.h"
#include "shim/live.h"
#include "shim/thread.h"

static void lend(struct thread *t, struct conn *c)
{
	uint64_t guess;
	const struct feed_context *request = attribute_guess(t, &guess);

	c->turn = t->attribution.turn;
	if (!request)
		return;
	c->request = *request;
	c->guess = guess;
}

void conn_socket(struct thread *t, int fd)
{
	struct conn *c = conn_find_or_make(fd);

	if (!c)
		return;
	conn_reset(c, CONN_UPSTREAM);
	lend(t, c);
}

void conn_connecting(struct thread *t, int fd)
{
	struct conn *c = conn_find(fd);

	if (!c || c->kind != CONN_UPSTREAM || !conn_enter(c, CONN_WRITES))
		return;
	lend(t, c);
	conn_leave(c);
}

void conn_pipe(struct thread *t, int fd)
{
	struct conn *c = conn_find_or_make(fd);

	if (!c)
		return;
	conn_reset(c, CONN_WAKE);
	lend(t, c);
}

/*
 * What is written first to a connection that was made in an earlier turn waited for the connection to stand,
 * and need not be for the request that the thread read last.
 */
static bool has_waited(const struct thread *t, const struct conn *c)
{
	return !c->used && c->turn != t->attribution.turn;
}

static void received(struct thread *t, struct conn *c)
{
	if (c->shared) {
		attribute_lost(t);
		return;
	}
	c->awaiting = 0;
	c->used = 1;
	if (live_has(c->request.request))
		attribute_answered(t, &c->request, c->guess);
	else if (c->kind == CONN_WAKE ? !c->request.flags : attribute_among_others(t))
		/* Somebody's turn, and nobody knows whose. */
		attribute_woken(t);
	else
		attribute_other(t);
}

/*
 * What is HTTP/1's of the answer to a head that asks for HTTP/2. *begins: how much of the bytes that is.
 * True: the connection is HTTP/2's from there.
 */
static bool upgraded(struct conn *c, const struct iovec *vector, size_t count, size_t n,
		     size_t *begins)
{
	int done = vector ? 0 : -1;

	*begins = 0;
	for (size_t i = 0; vector && i < count && n && !done; i++) {
		size_t part = vector[i].iov_len < n ? vector[i].iov_len : n;

		done = part ? protocol_sent(&c->scanner, vector[i].iov_base, part) : 0;
		*begins += done == PROTOCOL_HTTP2_BEGINS ? (size_t)c->scanner.begins : part;
		n -= part;
	}
	c->upgrades = !done;
	return done == PROTOCOL_HTTP2_BEGINS && !c->shared && calls_upgrade(c);
}

static void note_upgrade(struct conn *c, const struct request_head *head)
{
	struct protocol_scanner *p = &c->scanner;

	c->spoke = 1;
	c->upgrades = head->upgrade_http2;
	if (!c->upgrades)
		return;
	p->protocol = PROTOCOL_HTTP1;
	p->unanswerable = false;
	memset(&p->response, 0, sizeof(p->response));
	http1_response_expect(&p->response, head->method);
}

/* Nothing was understood of it so far, but that it may begin as HTTP/2. */
static bool may_begin(const struct conn *c)
{
	return c->kind == CONN_UPSTREAM && !c->unscanned && !c->heard && !c->spoke;
}

void upstream_received(struct thread *t, struct conn *c, const struct iovec *vector, size_t count,
		       size_t n)
{
	size_t begins = 0;

	if (!c->http2 && may_begin(c) && calls_greeted(vector, count, n))
		calls_begin(c, http1_pending(&c->scanner.http1));
	if (c->http2 || (c->upgrades && upgraded(c, vector, count, n, &begins) && begins < n)) {
		calls_received(t, c, vector, count, n, begins);
		return;
	}
	c->heard = 1;
	received(t, c);
}

void upstream_ciphertext(struct thread *t, struct conn *c)
{
	if (c->http2)
		attribute_other(t);
	else
		received(t, c);
}

void upstream_tried(struct thread *t, int fd)
{
	struct conn *c = conn_find(fd);

	if (!c || c->kind != CONN_UPSTREAM || !conn_enter(c, CONN_READS))
		return;
	/* The end of an answer is the answer's last call, and often what it was waited for. */
	if (!c->shared && !c->http2 && live_has(c->request.request))
		attribute_answered(t, &c->request, c->guess);
	conn_leave(c);
}

/* The live request whose trace the program names in a head among the bytes. */
static bool named(struct conn *c, const struct iovec *vector, size_t count, size_t n,
		  struct feed_context *out, bool *http2)
{
	bool found = false;

	if (!vector)
		c->unscanned = 1;
	for (size_t i = 0; i < count && n && !c->unscanned; i++) {
		const unsigned char *bytes = vector[i].iov_base;
		size_t left = vector[i].iov_len < n ? vector[i].iov_len : n;

		n -= left;
		while (left && !c->unscanned) {
			ssize_t used = http1_feed(&c->scanner.http1, bytes, left);
			const struct request_head *head = http1_request(&c->scanner.http1);

			if (used <= 0) {
				*http2 = used == PROTOCOL_HTTP2_BEGINS && may_begin(c);
				c->unscanned = used < 0;
				break;
			}
			note_upgrade(c, head);
			found = head->has_context && live_of_trace(head->context.trace_id, out);
			bytes += used;
			left -= (size_t)used;
		}
	}
	return found;
}

/* named: by a head among what was written; NULL: none does. waited: as has_waited() said before. */
static void written(struct thread *t, struct conn *c, const struct feed_context *named, bool waited)
{
	bool lent = live_has(c->request.request);
	uint64_t guess;
	const struct feed_context *known = attribute_guess(t, &guess);
	struct feed_context request;

	if (named) {
		request = *named;
		guess = 0;
		if (lent && !c->awaiting && c->request.request != request.request)
			attribute_misled(t);
		/* What waited for the connection to stand, or to be free, says nothing of what came before. */
		if (!waited && c->request.request != t->attribution.request.request)
			attribute_asks(t, named);
	} else if (!known && t->attribution.mode == ATTRIBUTION_TASK) {
		/* The task's request is not known yet, and whom a pool's connection served before
		 * says nothing of it. */
		memset(&c->request, 0, sizeof(c->request));
		attribute_other(t);
		return;
	} else if (lent && (!known || !c->awaiting || known->request == c->request.request)) {
		request = c->request;
		guess = c->guess;
	} else if (lent) {
		/* More for the one it was lent to, or already for another? Nothing tells. */
		c->shared = 1;
		attribute_lost(t);
		return;
	} else if (known && waited && attribute_among_others(t)) {
		attribute_woken(t);
		return;
	} else if (known) {
		request = *known;
	} else {
		attribute_asks_unknown(t);
		return;
	}
	c->shared |= lent && c->awaiting && c->request.request != request.request;
	c->awaiting = 1;
	c->request = request;
	c->guess = guess;
	attribute_upstream(t, &request, guess);
}

void upstream_sent(struct thread *t, struct conn *c, const struct iovec *vector, size_t count,
		   size_t n)
{
	bool waited = has_waited(t, c), http2 = false, is_named;
	size_t earlier = http1_pending(&c->scanner.http1);
	struct feed_context request;

	if (c->kind == CONN_WAKE) {
		c->used = 1;
		/* Who was handed work and wakes another has done it. */
		attribute_passed_on(t);
		attribute_other(t);
		return;
	}
	is_named = !c->http2 && named(c, vector, count, n, &request, &http2);
	if (c->http2 || (http2 && calls_begin(c, earlier))) {
		calls_sent(t, c, vector, count, n);
		return;
	}
	c->used = 1;
	written(t, c, is_named ? &request : NULL, waited);
}
