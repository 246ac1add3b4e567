/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coroutine.c - what is known of each task between its steps, in a table by address and thread. APP. A
 * bucket is entered by a short spin that gives up, never waits; only threads whose tasks' addresses
 * collide ever meet there. What does not fit replaces what was used least recently, which then is
 * unknown: its samples are nobody's.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "shim/attribute.h"
#include "shim/coroutine.h"
#include "shim/thread.h"

#define COROUTINE_BUCKETS 1024
#define COROUTINE_WAYS 4
#define COROUTINE_SPINS 200

struct entry {
	const void *task; /* NULL: free */
	int32_t tid;
	uint32_t used;
	struct attribution_task known;
};

static struct bucket {
	_Atomic uint32_t busy; /* 1: some thread is inside and alone there */
	uint32_t uses;
	struct entry ways[COROUTINE_WAYS];
} table[COROUTINE_BUCKETS];

_Static_assert(COROUTINE_BUCKETS == 1 << 10, "the hash keeps 10 bits");

static struct bucket *bucket_of(const void *task)
{
	return &table[((uintptr_t)task * 0x9e3779b97f4a7c15ULL) >> 54];
}

static bool enter(struct bucket *b)
{
	for (int i = 0; i < COROUTINE_SPINS; i++) {
		if (!atomic_exchange_explicit(&b->busy, 1, memory_order_acquire))
			return true;
	}
	return false;
}

static void leave(struct bucket *b)
{
	atomic_store_explicit(&b->busy, 0, memory_order_release);
}

static struct entry *find(struct bucket *b, const struct thread *t, const void *task)
{
	for (int i = 0; i < COROUTINE_WAYS; i++)
		if (b->ways[i].task == task && b->ways[i].tid == t->tid)
			return &b->ways[i];
	return NULL;
}

/* A free one, or the one that was used least recently. */
static struct entry *make_room(struct bucket *b)
{
	struct entry *oldest = &b->ways[0];

	for (int i = 0; i < COROUTINE_WAYS; i++) {
		struct entry *e = &b->ways[i];

		if (!e->task)
			return e;
		if (b->uses - e->used > b->uses - oldest->used)
			oldest = e;
	}
	return oldest;
}

bool coroutine_enter(struct thread *t, const void *task)
{
	struct bucket *b = bucket_of(task);
	struct attribution_task known;
	const struct entry *e;

	memset(&known, 0, sizeof(known));
	if (enter(b)) {
		e = find(b, t, task);
		if (e)
			known = e->known;
		leave(b);
	}
	return attribute_step(t, &known);
}

static bool is_known(const struct attribution_task *known)
{
	return known->request.flags || known->steps.count || known->mixed;
}

void coroutine_leave(struct thread *t, const void *task, bool ended)
{
	struct bucket *b = bucket_of(task);
	struct attribution_task known;
	struct entry *e;

	attribute_stepped(t, &known, ended);
	if (!enter(b))
		return;
	e = find(b, t, task);
	if (ended || !is_known(&known)) {
		if (e)
			e->task = NULL;
	} else {
		if (!e)
			e = make_room(b);
		*e = (struct entry){task, t->tid, ++b->uses, known};
	}
	leave(b);
}
