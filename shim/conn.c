/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.c - what bytes and calls on a descriptor mean. APP: called inside OBSERVE by the wrappers;
 * allocates nothing, never blocks. Clients' connections here (what goes out to them in
 * conn_answer.c), those to servers in conn_upstream.c.
 */
#include <string.h>
#include <sys/stat.h>

#include "shim/attribute.h"
#include "shim/conn.h"
#include "shim/conn_answer.h"
#include "shim/conn_request.h"
#include "shim/conn_streams.h"
#include "shim/conn_table.h"
#include "shim/conn_upstream.h"
#include "shim/http2.h"
#include "shim/live.h"
#include "shim/raw.h"
#include "shim/thread.h"
#include "shim/tls.h"

void conn_accepted(struct thread *t, int fd)
{
	struct conn *c = conn_find_or_make(fd);

	attribute_accepted(t);
	if (c)
		conn_reset(c, CONN_INBOUND);
}

void conn_made(int fd)
{
	struct conn *c = conn_find(fd);

	if (c && c->kind != CONN_UNKNOWN)
		conn_reset(c, CONN_UNKNOWN);
}

static bool is_clients(const struct conn *c)
{
	return c->kind == CONN_INBOUND || c->kind == CONN_OPAQUE;
}

void conn_close(struct thread *t, int fd)
{
	const struct conn *c = conn_find(fd);

	if (c && is_clients(c) && !live_has(c->request.request) && !(c->http2 && http2_live(c->http2)))
		attribute_ended(t);
	conn_closing(fd);
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

/*
 * A request replaces the one before it. If that was not answered yet (pipelining), no call will tell the
 * work for the one from that for the other, nor which of them later answers belong to: the connection's
 * requests have no ids from then on.
 */
static void begin_request(struct thread *t, struct conn *c)
{
	c->pipelined |= c->request.flags && !c->answered;
	conn_forget_request(c);
	c->answered = 0;
	conn_request(t, &c->request, protocol_head(&c->scanner), !c->pipelined);
}

/* The scanner has met what it does not follow: another protocol's part begins, or none is known. */
static void leave_scanner(struct thread *t, struct conn *c, ssize_t error,
			  const unsigned char *bytes, size_t n)
{
	int32_t begins = c->scanner.begins;

	if (error == PROTOCOL_TLS_BEGINS) {
		c->tls = CONN_CIPHER;
		conn_forget_request(c);
		return;
	}
	if (error == PROTOCOL_HTTP2_BEGINS) {
		streams_begin(c, begins < 0 ? (size_t)-begins : 0);
		if (begins > 0 && (size_t)begins <= n)
			bytes += begins, n -= (size_t)begins;
		streams_received(t, c, bytes, n);
		return;
	}
	/* An upgraded connection still works for its request. On any other, a server may have
	 * understood what we did not: the next work is not the last request's. */
	if (!protocol_head(&c->scanner)->upgrade)
		conn_forget_request(c);
	c->kind = CONN_OPAQUE;
}

static void feed(struct thread *t, struct conn *c, const unsigned char *bytes, size_t n)
{
	if (c->http2) {
		streams_received(t, c, bytes, n);
		return;
	}
	while (n && c->kind == CONN_INBOUND) {
		ssize_t used = protocol_received(&c->scanner, bytes, n);

		if (used < 0)
			leave_scanner(t, c, used, bytes, n);
		if (used <= 0)
			return;
		begin_request(t, c);
		bytes += used;
		n -= (size_t)used;
	}
}

static void tell_read(struct thread *t, struct conn *c)
{
	if (c->http2 || c->new_heads)
		streams_told(t, c);
	else if (c->request.flags)
		attribute_read(t, &c->request);
	else
		attribute_read_unknown(t);
}

/* An entry of ours, entered; or NULL, and the thread was told. */
static struct conn *known(struct thread *t, int fd, enum conn_way way)
{
	struct conn *c = conn_find(fd);

	if (!c || c->kind == CONN_UNKNOWN) {
		attribute_other(t);
		return NULL;
	}
	if (!conn_enter(c, way)) {
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
	else if (c->tls == CONN_PLAIN)
		attribute_other(t);
	else
		attribute_read_unknown(t);
}

static void received(struct thread *t, struct conn *c, const struct iovec *vector, size_t count,
		     ssize_t n)
{
	if (!is_clients(c)) {
		upstream_received(t, c, vector, count, (size_t)n);
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
	c = known(t, fd, CONN_READS);
	if (!c)
		return;
	if (c->tls == CONN_CLEAR)
		received(t, c, vector, count, n);
	else if (is_clients(c))
		received_cipher(t, c);
	else
		upstream_ciphertext(t, c);
	if (c->tls != CONN_CLEAR)
		t->tls.last = fd;
	conn_leave(c);
}

void conn_received(struct thread *t, int fd, const void *bytes, ssize_t n)
{
	struct iovec whole = {.iov_base = (void *)bytes, .iov_len = n > 0 ? (size_t)n : 0};

	conn_received_vector(t, fd, &whole, 1, n);
}

/* From the first plaintext on, the connection is what that says. */
static struct conn *plain(struct thread *t, int fd, enum conn_way way)
{
	struct conn *c = known(t, fd, way);

	if (!c || c->tls == CONN_PLAIN)
		return c;
	/* Unless the protocol itself has led to it, nothing before was its. */
	if (is_clients(c) && c->tls == CONN_CLEAR) {
		conn_forget_request(c);
		protocol_init(&c->scanner);
		c->kind = CONN_INBOUND;
	} else if (!is_clients(c)) {
		c->unscanned = c->heard = 0;
		protocol_init(&c->scanner);
	}
	c->tls = CONN_PLAIN;
	return c;
}

void conn_received_plain(struct thread *t, int fd, const void *bytes, ssize_t n)
{
	struct iovec whole = {.iov_base = (void *)bytes, .iov_len = (size_t)n};
	struct conn *c = plain(t, fd, CONN_READS);

	if (!c)
		return;
	received(t, c, &whole, 1, n);
	conn_leave(c);
}

static bool is_body(struct conn *c, uint64_t n)
{
	return c->scanner.protocol == PROTOCOL_HTTP1 && !c->scanner.error && !c->http2 &&
	       http1_skip(&c->scanner.http1, n) == 0;
}

void conn_drained(struct thread *t, int fd, ssize_t n)
{
	struct conn *c = n > 0 ? known(t, fd, CONN_READS) : NULL;

	if (!c)
		return;
	if (is_clients(c)) {
		/* A head may have gone by unseen. */
		if (c->kind == CONN_INBOUND && !is_body(c, (uint64_t)n)) {
			conn_forget_request(c);
			c->kind = CONN_OPAQUE;
		}
		tell_read(t, c);
	} else {
		upstream_received(t, c, NULL, 0, (size_t)n);
	}
	conn_leave(c);
}

static void sent(struct thread *t, struct conn *c, const struct iovec *vector, size_t count,
		 size_t n)
{
	if (is_clients(c))
		conn_answer(t, c, vector, count, n);
	else
		upstream_sent(t, c, vector, count, n);
}

static void sent_cipher(struct thread *t, struct conn *c)
{
	if (is_clients(c) && c->request.flags)
		attribute_write(t, &c->request, false);
	else
		attribute_other(t);
}

void conn_sent_vector(struct thread *t, int fd, const struct iovec *vector, size_t count, ssize_t n)
{
	struct conn *c;

	if (n <= 0 || tls_inside(t, fd))
		return;
	c = known(t, fd, CONN_WRITES);
	if (!c)
		return;
	if (c->tls != CONN_CLEAR)
		sent_cipher(t, c);
	else
		sent(t, c, vector, count, (size_t)n);
	conn_leave(c);
}

void conn_sent_plain(struct thread *t, int fd, const void *bytes, ssize_t n)
{
	struct iovec whole = {.iov_base = (void *)bytes, .iov_len = (size_t)n};
	struct conn *c = plain(t, fd, CONN_WRITES);

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
