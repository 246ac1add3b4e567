/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.c - the table of connections. APP: called inside OBSERVE by the wrappers; allocates only by
 * mmap, never blocks, and lets go of what it cannot follow.
 */
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "shim/attribute.h"
#include "shim/conn.h"
#include "shim/http1.h"
#include "shim/raw.h"
#include "shim/region.h"
#include "shim/self.h"
#include "shim/thread.h"

#define CONN_LEAF 1024 /* entries of one mapping of the two-level table */

enum conn_kind {
	CONN_UNKNOWN, /* not accepted by us: a file, an upstream, anything; must be 0 */
	CONN_INBOUND, /* accepted; its bytes are read for heads */
	CONN_OPAQUE,  /* accepted, but carries nothing we know: never parsed again */
};

struct conn {
	/* Held while a wrapper is inside; whoever finds it held sets broken instead of waiting. */
	_Atomic unsigned char busy;
	_Atomic unsigned char broken;
	unsigned char kind;
	unsigned char answered;	     /* bytes went out since the live request's head */
	unsigned char pipelined;     /* a head came before the one before it was answered */
	struct feed_context request; /* the live request; no flags: none */
	struct http1 parser;
};
_Static_assert(sizeof(struct conn) <= CONN_BYTES_EACH, "an entry keeps to its stated size");

/* Leaves are mapped at the first accept in their range and stay. Writers: cmpxchg, release. */
static _Atomic(struct conn *) leaves[CONN_FD_MAX / CONN_LEAF];

static struct conn *find(int fd)
{
	struct conn *leaf;

	if (fd < 0 || fd >= CONN_FD_MAX)
		return NULL;
	leaf = atomic_load_explicit(&leaves[fd / CONN_LEAF], memory_order_acquire);
	return leaf ? &leaf[fd % CONN_LEAF] : NULL;
}

static struct conn *find_or_make(int fd)
{
	struct conn *leaf = NULL;
	size_t size = CONN_LEAF * sizeof(struct conn);
	long page;

	if (fd < 0 || fd >= CONN_FD_MAX) {
		count(FEED_COUNTER_conn_range, 1);
		return NULL;
	}
	if (find(fd))
		return find(fd);
	page = raw6(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page < 0 && page > -4096)
		return NULL;
	if (!atomic_compare_exchange_strong_explicit(&leaves[fd / CONN_LEAF], &leaf,
						     (struct conn *)page, memory_order_release,
						     memory_order_acquire))
		raw2(SYS_munmap, page, size);
	return find(fd);
}

/* False: somebody else is inside; the connection is given up. */
static bool enter(struct conn *c)
{
	if (!atomic_exchange_explicit(&c->busy, 1, memory_order_acquire))
		return true;
	atomic_store_explicit(&c->broken, 1, memory_order_relaxed);
	count(FEED_COUNTER_conn_busy, 1);
	return false;
}

static void forget_request(struct conn *c)
{
	memset(&c->request, 0, sizeof(c->request));
}

static void leave(struct conn *c)
{
	if (atomic_load_explicit(&c->broken, memory_order_relaxed)) {
		c->kind = CONN_OPAQUE;
		forget_request(c);
	}
	atomic_store_explicit(&c->busy, 0, memory_order_release);
}

/* The descriptor's number means something new. Nobody else can be using it rightfully now. */
static void reset(struct conn *c, enum conn_kind kind)
{
	c->kind = (unsigned char)kind;
	c->answered = c->pipelined = 0;
	forget_request(c);
	http1_init(&c->parser);
	atomic_store_explicit(&c->broken, 0, memory_order_relaxed);
	atomic_store_explicit(&c->busy, 0, memory_order_release);
}

void conn_accepted(struct thread *t, int fd)
{
	struct conn *c = find_or_make(fd);

	attribute_other(t);
	if (c)
		reset(c, CONN_INBOUND);
}

void conn_made(int fd)
{
	struct conn *c = find(fd);

	if (c && c->kind != CONN_UNKNOWN)
		reset(c, CONN_UNKNOWN);
}

/*
 * Every inbound request gets an identity, traced or not: it replaces the one before it. If that was
 * not answered yet (pipelining), no call will tell the work for the one from that for the other, nor
 * which of them later answers belong to: the connection's requests have no ids from then on.
 */
static void begin_request(struct conn *c)
{
	const struct request_head *head = http1_request(&c->parser);

	c->pipelined |= c->request.flags && !c->answered;
	forget_request(c);
	c->answered = 0;
	c->request.flags = FEED_CONTEXT_REQUEST;
	c->request.request = attribute_number();
	if (c->pipelined || !head->has_context || !(head->context.flags & TRACE_FLAG_SAMPLED))
		return;
	c->request.flags |= FEED_CONTEXT_IDS;
	memcpy(c->request.trace_id, head->context.trace_id, sizeof(c->request.trace_id));
	memcpy(c->request.span_id, head->context.span_id, sizeof(c->request.span_id));
}

static void feed(struct conn *c, const unsigned char *bytes, size_t n)
{
	while (n && c->kind == CONN_INBOUND) {
		ssize_t used = http1_feed(&c->parser, bytes, n);

		if (used == 0)
			return;
		if (used < 0) {
			/* An upgraded connection still works for its request. On any other, a server may
			 * have understood what we did not: the next work is not the last request's. */
			c->kind = CONN_OPAQUE;
			if (!http1_request(&c->parser)->upgrade)
				forget_request(c);
			return;
		}
		begin_request(c);
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

/* An entry of ours, entered; or NULL, and the thread was told. */
static struct conn *inbound(struct thread *t, int fd)
{
	struct conn *c = find(fd);

	if (!c || c->kind == CONN_UNKNOWN) {
		attribute_other(t);
		return NULL;
	}
	if (!enter(c)) {
		attribute_lost(t);
		return NULL;
	}
	return c;
}

void conn_received_vector(struct thread *t, int fd, const struct iovec *vector, size_t count,
			  ssize_t n)
{
	struct conn *c;

	if (n <= 0)
		return;
	c = inbound(t, fd);
	if (!c)
		return;
	for (size_t i = 0; i < count && n > 0; i++) {
		size_t part = vector[i].iov_len < (size_t)n ? vector[i].iov_len : (size_t)n;

		feed(c, vector[i].iov_base, part);
		n -= (ssize_t)part;
	}
	tell_read(t, c);
	leave(c);
}

void conn_received(struct thread *t, int fd, const void *bytes, ssize_t n)
{
	struct iovec whole = {.iov_base = (void *)bytes, .iov_len = n > 0 ? (size_t)n : 0};

	conn_received_vector(t, fd, &whole, 1, n);
}

void conn_sent(struct thread *t, int fd, ssize_t n)
{
	struct conn *c;

	if (n <= 0)
		return;
	c = inbound(t, fd);
	if (!c)
		return;
	c->answered = 1;
	if (c->request.flags)
		attribute_write(t, &c->request);
	else
		attribute_other(t);
	leave(c);
}

/* A vfork child runs on our memory but closes descriptors of its own table. */
static bool in_vfork_child(void)
{
	return self_page && self_page->pid != (int32_t)raw0(SYS_getpid);
}

void conn_closing(int fd)
{
	struct conn *c = find(fd);

	if (c && c->kind != CONN_UNKNOWN && !in_vfork_child())
		reset(c, CONN_UNKNOWN);
}

void conn_closing_range(unsigned first, unsigned last)
{
	if (in_vfork_child())
		return;
	if (last >= CONN_FD_MAX)
		last = CONN_FD_MAX - 1;
	for (unsigned fd = first; fd <= last; fd++) {
		struct conn *leaf = atomic_load_explicit(&leaves[fd / CONN_LEAF],
							 memory_order_acquire);

		if (!leaf) {
			fd |= CONN_LEAF - 1;
			continue;
		}
		if (leaf[fd % CONN_LEAF].kind != CONN_UNKNOWN)
			reset(&leaf[fd % CONN_LEAF], CONN_UNKNOWN);
	}
}
