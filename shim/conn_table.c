/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_table.c - the table of descriptors: two levels, leaves mapped when first needed. APP: called
 * inside OBSERVE; allocates only by mmap, never blocks, and lets go of what it cannot follow.
 */
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "shim/conn_streams.h"
#include "shim/conn_table.h"
#include "shim/live.h"
#include "shim/raw.h"
#include "shim/region.h"
#include "shim/self.h"

#define CONN_LEAF 1024 /* entries of one mapping of the two-level table */
#define CONN_SPINS 256	   /* another thread's look takes less */
#define CONN_NAPS 32	   /* unless it was descheduled meanwhile: milliseconds at most */
#define CONN_NAP_NS 100000

/* Leaves are mapped at the first need in their range and stay. Writers: cmpxchg, release. */
static _Atomic(struct conn *) leaves[CONN_FD_MAX / CONN_LEAF];

struct conn *conn_find(int fd)
{
	struct conn *leaf;

	if (fd < 0 || fd >= CONN_FD_MAX)
		return NULL;
	leaf = atomic_load_explicit(&leaves[fd / CONN_LEAF], memory_order_acquire);
	return leaf ? &leaf[fd % CONN_LEAF] : NULL;
}

struct conn *conn_find_or_make(int fd)
{
	struct conn *leaf = NULL;
	size_t size = CONN_LEAF * sizeof(struct conn);
	long page;

	if (fd < 0 || fd >= CONN_FD_MAX) {
		count(FEED_COUNTER_conn_range, 1);
		return NULL;
	}
	if (conn_find(fd))
		return conn_find(fd);
	page = raw6(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page < 0 && page > -4096)
		return NULL;
	if (!atomic_compare_exchange_strong_explicit(&leaves[fd / CONN_LEAF], &leaf,
						     (struct conn *)page, memory_order_release,
						     memory_order_acquire))
		raw2(SYS_munmap, page, size);
	return conn_find(fd);
}

/* How it is held; CONN_FREE: by us now. */
static unsigned char try_enter(struct conn *c, enum conn_way way)
{
	unsigned char held = CONN_FREE;

	atomic_compare_exchange_strong_explicit(&c->busy, &held, (unsigned char)way, memory_order_acquire,
						memory_order_relaxed);
	return held;
}

bool conn_enter(struct conn *c, enum conn_way way)
{
	static const struct timespec nap = {.tv_nsec = CONN_NAP_NS};
	unsigned char held = try_enter(c, way);

	for (int i = 0; held && held != way && i < CONN_SPINS + CONN_NAPS; i++) {
		if (atomic_load_explicit(&c->broken, memory_order_relaxed))
			break;
		if (i >= CONN_SPINS)
			raw2(SYS_nanosleep, &nap, NULL);
		held = try_enter(c, way);
	}
	if (!held)
		return true;
	atomic_store_explicit(&c->broken, 1, memory_order_relaxed);
	count(FEED_COUNTER_conn_busy, 1);
	return false;
}

void conn_forget_request(struct conn *c)
{
	if (c->kind == CONN_INBOUND || c->kind == CONN_OPAQUE)
		live_end(c->request.request);
	streams_forget(c);
	memset(&c->request, 0, sizeof(c->request));
}

void conn_leave(struct conn *c)
{
	if (atomic_load_explicit(&c->broken, memory_order_relaxed)) {
		conn_forget_request(c);
		c->kind = CONN_OPAQUE;
	}
	atomic_store_explicit(&c->busy, CONN_FREE, memory_order_release);
}

void conn_reset(struct conn *c, enum conn_kind kind)
{
	conn_forget_request(c);
	c->kind = (unsigned char)kind;
	c->answered = c->pipelined = c->awaiting = c->shared = c->unscanned = c->guess = c->tls =
	    c->used = c->heard = c->spoke = c->upgrades = c->carried = c->contexts = 0;
	c->writer = 0;
	c->heads = c->new_heads = 0;
	c->generation++;
	protocol_init(&c->scanner);
	atomic_store_explicit(&c->broken, 0, memory_order_relaxed);
	atomic_store_explicit(&c->busy, CONN_FREE, memory_order_release);
}

/* A vfork child runs on our memory but closes descriptors of its own table. */
static bool in_vfork_child(void)
{
	return self_page && self_page->pid != (int32_t)raw0(SYS_getpid);
}

void conn_closing(int fd)
{
	struct conn *c = conn_find(fd);

	if (c && c->kind != CONN_UNKNOWN && !in_vfork_child())
		conn_reset(c, CONN_UNKNOWN);
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
			conn_reset(&leaf[fd % CONN_LEAF], CONN_UNKNOWN);
	}
}
