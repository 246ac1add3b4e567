/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.c - what bytes and calls on a descriptor mean. APP: called inside OBSERVE by the wrappers;
 * allocates nothing, never blocks. Clients' connections here, those to servers in conn_upstream.c.
 */
#include <string.h>
#include <sys/stat.h>

#include "shim/attribute.h"
#include "shim/conn.h"
#include "shim/conn_table.h"
#include "shim/conn_upstream.h"
#include "shim/live.h"
#include "shim/raw.h"
#include "shim/thread.h"
#include "shim/tls.h"

void conn_accepted(struct thread *t, int fd)
{
	struct conn *c = conn_find_or_make(fd);

	attribute_other(t);
	if (c)
		conn_reset(c, CONN_INBOUND);
}

void conn_made(int fd)
{
	struct conn *c = conn_find(fd);

	if (c && c->kind != CONN_UNKNOWN)
		conn_reset(c, CONN_UNKNOWN);
}

void conn_passed(int fd)
{
	struct conn *c;
	struct stat status;
	bool is_socket = raw2(SYS_fstat, fd, &status) == 0 && S_ISSOCK(status.st_mode);

	conn_made(fd);
	c = is_socket ? conn_find_or_make(fd) : NULL;
	if (c)
		conn_reset(c, CONN_INBOUND);
}

static void take_name(struct feed_context *request, const struct http1_request *head)
{
	memcpy(request->method, head->method, sizeof(request->method));
	memcpy(request->target, head->target, sizeof(request->target) - 1);
}
_Static_assert(sizeof(((struct http1_request *)0)->method) == FEED_METHOD_SIZE, "methods fit");
_Static_assert(sizeof(((struct http1_request *)0)->target) >= FEED_TARGET_SIZE, "targets are cut");

/*
 * Every inbound request gets an identity, traced or not: it replaces the one before it. If that was
 * not answered yet (pipelining), no call will tell the work for the one from that for the other, nor
 * which of them later answers belong to: the connection's requests have no ids from then on.
 */
static void begin_request(struct thread *t, struct conn *c)
{
	const struct request_head *head = http1_request(&c->parser);

	c->pipelined |= c->request.flags && !c->answered;
	conn_forget_request(c);
	c->answered = 0;
	c->request.flags = FEED_CONTEXT_REQUEST;
	c->request.request = live_number();
	take_name(&c->request, head);
	if (!c->pipelined && head->has_context && head->context.flags & TRACE_FLAG_SAMPLED) {
		c->request.flags |= FEED_CONTEXT_IDS;
		memcpy(c->request.trace_id, head->context.trace_id, sizeof(c->request.trace_id));
		memcpy(c->request.span_id, head->context.span_id, sizeof(c->request.span_id));
	}
	live_begin(&c->request, t->tid, t->attribution.turn);
}

static void feed(struct thread *t, struct conn *c, const unsigned char *bytes, size_t n)
{
	while (n && c->kind == CONN_INBOUND) {
		ssize_t used = http1_feed(&c->parser, bytes, n);

		if (used == 0)
			return;
		if (used < 0) {
			/* An upgraded connection still works for its request. On any other, a server may
			 * have understood what we did not: the next work is not the last request's. */
			if (!http1_request(&c->parser)->upgrade)
				conn_forget_request(c);
			c->kind = CONN_OPAQUE;
			return;
		}
		begin_request(t, c);
		bytes += used;
		n -= (size_t)used;
	}
}

static void tell_read(struct thread *t, const struct conn *c)
{
	if (c->request.flags)
		attribute_read(t, &c->request);
	else
		attribute_read_unknown(t);
}

static bool is_clients(const struct conn *c)
{
	return c->kind == CONN_INBOUND || c->kind == CONN_OPAQUE;
}

/* An entry of ours, entered; or NULL, and the thread was told. */
static struct conn *known(struct thread *t, int fd)
{
	struct conn *c = conn_find(fd);

	if (!c || c->kind == CONN_UNKNOWN) {
		attribute_other(t);
		return NULL;
	}
	if (!conn_enter(c)) {
		attribute_lost(t);
		return NULL;
	}
	return c;
}

/* Ciphertext that the program moves itself, outside the TLS library, tells no more than whose it is. */
static void received_cipher(struct thread *t, struct conn *c)
{
	if (live_has(c->request.request))
		attribute_read(t, &c->request);
	else
		attribute_other(t);
}

static void received(struct thread *t, struct conn *c, const struct iovec *vector, size_t count,
		     ssize_t n)
{
	if (!is_clients(c)) {
		upstream_received(t, c);
		return;
	}
	for (size_t i = 0; i < count && n > 0; i++) {
		size_t part = vector[i].iov_len < (size_t)n ? vector[i].iov_len : (size_t)n;

		feed(t, c, vector[i].iov_base, part);
		n -= (ssize_t)part;
	}
	tell_read(t, c);
}

void conn_received_vector(struct thread *t, int fd, const struct iovec *vector, size_t count,
			  ssize_t n)
{
	struct conn *c;

	if (tls_inside(t, fd))
		return;
	if (n <= 0) {
		upstream_tried(t, fd);
		return;
	}
	c = known(t, fd);
	if (!c)
		return;
	if (c->tls && is_clients(c))
		received_cipher(t, c);
	else
		received(t, c, vector, count, n);
	conn_leave(c);
}

void conn_received(struct thread *t, int fd, const void *bytes, ssize_t n)
{
	struct iovec whole = {.iov_base = (void *)bytes, .iov_len = n > 0 ? (size_t)n : 0};

	conn_received_vector(t, fd, &whole, 1, n);
}

/* From the first plaintext on, the connection is what that says. */
static struct conn *plain(struct thread *t, int fd)
{
	struct conn *c = known(t, fd);

	if (!c || c->tls)
		return c;
	c->tls = 1;
	c->unscanned = 0;
	http1_init(&c->parser);
	if (is_clients(c)) {
		conn_forget_request(c);
		c->kind = CONN_INBOUND;
	}
	return c;
}

void conn_received_plain(struct thread *t, int fd, const void *bytes, ssize_t n)
{
	struct iovec whole = {.iov_base = (void *)bytes, .iov_len = (size_t)n};
	struct conn *c = plain(t, fd);

	if (!c)
		return;
	received(t, c, &whole, 1, n);
	conn_leave(c);
}

void conn_drained(struct thread *t, int fd, ssize_t n)
{
	struct conn *c = n > 0 ? known(t, fd) : NULL;

	if (!c)
		return;
	if (is_clients(c)) {
		/* A head may have gone by unseen. */
		if (c->kind == CONN_INBOUND && http1_skip(&c->parser, (uint64_t)n) < 0) {
			conn_forget_request(c);
			c->kind = CONN_OPAQUE;
		}
		tell_read(t, c);
	} else {
		upstream_received(t, c);
	}
	conn_leave(c);
}

static void answer(struct thread *t, struct conn *c)
{
	c->answered = 1;
	if (!c->request.flags) {
		attribute_other(t);
		return;
	}
	attribute_write(t, &c->request);
	live_end(c->request.request);
}

static void sent(struct thread *t, struct conn *c, const struct iovec *vector, size_t count,
		 size_t n)
{
	if (is_clients(c))
		answer(t, c);
	else
		upstream_sent(t, c, vector, count, n);
}

void conn_sent_vector(struct thread *t, int fd, const struct iovec *vector, size_t count, ssize_t n)
{
	struct conn *c;

	if (n <= 0 || tls_inside(t, fd))
		return;
	c = known(t, fd);
	if (!c)
		return;
	if (c->tls && !is_clients(c))
		attribute_other(t);
	else
		sent(t, c, vector, count, (size_t)n);
	conn_leave(c);
}

void conn_sent_plain(struct thread *t, int fd, const void *bytes, ssize_t n)
{
	struct iovec whole = {.iov_base = (void *)bytes, .iov_len = (size_t)n};
	struct conn *c = plain(t, fd);

	if (!c)
		return;
	sent(t, c, bytes ? &whole : NULL, bytes ? 1 : 0, (size_t)n);
	conn_leave(c);
}

void conn_sent(struct thread *t, int fd, const void *bytes, ssize_t n)
{
	struct iovec whole = {.iov_base = (void *)bytes, .iov_len = n > 0 ? (size_t)n : 0};

	conn_sent_vector(t, fd, bytes ? &whole : NULL, bytes ? 1 : 0, n);
}

bool conn_all_own(const struct thread *t, const struct pollfd *fds, nfds_t n)
{
	const struct feed_context *request = attribute_known(t);
	bool handed = t->attribution.mode == ATTRIBUTION_HANDED;

	if (!request || n == 0)
		return false;
	for (nfds_t i = 0; i < n; i++) {
		const struct conn *c = conn_find(fds[i].fd);
		bool own = c && c->kind != CONN_UNKNOWN && c->request.request == request->request;

		/* Who was handed a request has no connection of its own: what it polls is for it. */
		if (fds[i].fd >= 0 && !own && !(handed && n == 1))
			return false;
	}
	return true;
}
