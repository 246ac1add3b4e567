/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute.c - the rules. Every event ends the current stretch, says whose it was if samples of it
 * wait for that, and begins the next. Called by conn.c and the wait wrappers, APP context, with the
 * calling thread's own record; takes no lock and makes no call that can fail the host.
 */
#include <string.h>

#include "shim/attribute.h"
#include "shim/push.h"
#include "shim/thread.h"

static const struct feed_context nobody;

/* Whether any request was ever seen: until then no stretch can turn out to be one's. */
static _Atomic uint32_t request_count;

uint32_t attribute_number(void)
{
	uint32_t n;

	do
		n = 1 + atomic_fetch_add_explicit(&request_count, 1, memory_order_relaxed);
	while (n == 0);
	return n;
}

/*
 * End the current stretch in favour of owner and begin the next. The new stretch is published first:
 * from then on the handler samples into it, so that "sampled" of the old one can no longer change.
 */
static void turn(struct thread *t, const struct feed_context *owner, enum attribution_mode mode,
		 const struct feed_context *request)
{
	const struct span_copy *now = span_read(&t->span);
	uint64_t ended = now->stretch;
	bool was_open = now->flags & FEED_SAMPLE_OPEN;
	bool open = mode == ATTRIBUTION_AFTER ||
		    (mode == ATTRIBUTION_NONE &&
		     atomic_load_explicit(&request_count, memory_order_relaxed) != 0);

	span_begin(&t->span, mode == ATTRIBUTION_NONE ? &nobody : request, open);
	if (was_open && atomic_load_explicit(&t->span.sampled, memory_order_relaxed) == ended)
		push_stretch(t, ended, owner);
	t->attribution.mode = mode;
	t->attribution.request = *request;
}

static bool same(const struct feed_context *a, const struct feed_context *b)
{
	return a->request == b->request && a->flags == b->flags;
}

/* Whose the current stretch is when nothing claims it: what was known when it began. */
static const struct feed_context *inherited(const struct thread *t)
{
	return t->attribution.mode == ATTRIBUTION_NONE ? &nobody : &t->attribution.request;
}

void attribute_read(struct thread *t, const struct feed_context *request)
{
	struct feed_context owner = *inherited(t);

	if (t->attribution.mode == ATTRIBUTION_ACTIVE && same(&t->attribution.request, request))
		return;
	turn(t, &owner, ATTRIBUTION_ACTIVE, request);
}

void attribute_read_unknown(struct thread *t)
{
	struct feed_context owner = *inherited(t);

	if (t->attribution.mode != ATTRIBUTION_LOST)
		turn(t, &owner, ATTRIBUTION_LOST, &nobody);
}

void attribute_write(struct thread *t, const struct feed_context *request)
{
	turn(t, request, ATTRIBUTION_AFTER, request);
}

void attribute_other(struct thread *t)
{
	struct feed_context request = t->attribution.request;

	if (t->attribution.mode == ATTRIBUTION_AFTER)
		turn(t, &request, ATTRIBUTION_AFTER, &request);
}

void attribute_wait(struct thread *t)
{
	struct feed_context owner = *inherited(t);

	/* Nothing was known and nobody waits to hear: the stretch may as well go on. */
	if (t->attribution.mode == ATTRIBUTION_NONE &&
	    atomic_load_explicit(&t->span.sampled, memory_order_relaxed) !=
		    span_read(&t->span)->stretch &&
	    (span_read(&t->span)->flags & FEED_SAMPLE_OPEN))
		return;
	turn(t, &owner, ATTRIBUTION_NONE, &nobody);
}

void attribute_lost(struct thread *t)
{
	turn(t, &nobody, ATTRIBUTION_LOST, &nobody);
}
