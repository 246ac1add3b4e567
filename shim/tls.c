/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.c - the table of sessions, and what their plaintext means. APP. A table that lost a session loses
 * its requests; a descriptor that means something new by now is noticed by its generation.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "shim/conn.h"
#include "shim/conn_table.h"
#include "shim/thread.h"
#include "shim/tls.h"

#define SESSION_SETS 4096
#define SESSION_WAYS 4
#define NO_FD (-1)

/* One word for the descriptor and its generation, so that it is read and written whole. */
static struct session {
	const void *_Atomic session; /* NULL: free */
	_Atomic uint64_t where;
} sessions[SESSION_SETS][SESSION_WAYS];

_Static_assert(SESSION_SETS == 1 << 12, "the hash keeps 12 bits");

static struct session *set_of(const void *session)
{
	/* The high bits of the product: allocators' arenas make addresses that differ in theirs alone. */
	return sessions[((uintptr_t)session * 0x9e3779b97f4a7c15ULL) >> 52];
}

static struct session *find(const void *session)
{
	struct session *set = set_of(session);

	for (int i = 0; i < SESSION_WAYS; i++) {
		if (atomic_load_explicit(&set[i].session, memory_order_relaxed) == session)
			return &set[i];
	}
	return NULL;
}

static void remember(const void *session, int fd, uint32_t generation)
{
	struct session *s = find(session);
	uint64_t where = (uint64_t)generation << 32 | (uint32_t)fd;

	if (s && atomic_load_explicit(&s->where, memory_order_relaxed) == where)
		return;
	for (int i = 0; i < SESSION_WAYS && !s; i++) {
		const void *none = NULL;

		if (atomic_compare_exchange_strong(&set_of(session)[i].session, &none, session))
			s = &set_of(session)[i];
	}
	if (!s) {
		s = &set_of(session)[(uintptr_t)session / 64 % SESSION_WAYS];
		atomic_store_explicit(&s->session, session, memory_order_relaxed);
	}
	atomic_store_explicit(&s->where, where, memory_order_relaxed);
}

void tls_freed(const void *session)
{
	struct session *s = find(session);

	if (s)
		atomic_store_explicit(&s->session, NULL, memory_order_relaxed);
}

void tls_enter(struct thread *t, void *frame, void *real)
{
	t->tls.library = real;
	/* One of the library's functions may call another through its symbol: the outer one tells. */
	if (t->tls.frame && (uintptr_t)frame < t->tls.frame) {
		t->tls.depth++;
		return;
	}
	t->tls.depth = 0;
	t->tls.frame = (uintptr_t)frame;
	t->tls.fd = NO_FD;
}

bool tls_inside(struct thread *t, int fd)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	const struct conn *c = conn_find(fd);
	bool inside = t->tls.frame && here < t->tls.frame;

	/* Further up the stack than the wrapper that entered: it was left by a jump. */
	if (!inside)
		t->tls.frame = 0;
	if (!c || c->kind == CONN_UNKNOWN || c->kind == CONN_WAKE)
		return false;
	if (inside)
		t->tls.fd = fd;
	return inside;
}

/* The descriptor of session: as its calls just named it, as was known, or as the thread last read. */
static int where_is(struct thread *t, const void *session)
{
	struct session *s = find(session);
	int fd = t->tls.frame ? t->tls.fd : NO_FD;
	struct conn *c;

	t->tls.frame = 0;
	if (fd == NO_FD && s) {
		uint64_t where = atomic_load_explicit(&s->where, memory_order_relaxed);

		c = conn_find((int)(uint32_t)where);
		return c && c->generation == (uint32_t)(where >> 32) ? (int)(uint32_t)where : NO_FD;
	}
	if (fd == NO_FD)
		fd = t->tls.last;
	c = conn_find(fd);
	if (!c || c->kind == CONN_UNKNOWN)
		return NO_FD;
	remember(session, fd, c->generation);
	return fd;
}

/* False: it is still in an outer one. */
static bool leaves(struct thread *t)
{
	if (!t->tls.depth)
		return true;
	t->tls.depth--;
	return false;
}

void tls_received(struct thread *t, const void *session, const void *bytes, ssize_t n)
{
	int fd = leaves(t) ? where_is(t, session) : NO_FD;

	if (n > 0 && fd != NO_FD)
		conn_received_plain(t, fd, bytes, n);
}

void tls_sent(struct thread *t, const void *session, const void *bytes, ssize_t n)
{
	int fd = leaves(t) ? where_is(t, session) : NO_FD;

	if (n > 0 && fd != NO_FD)
		conn_sent_plain(t, fd, bytes, n);
}
