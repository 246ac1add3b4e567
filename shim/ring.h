/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h - a thread's end of its ring: single producer, single consumer, full means drop and count.
 *
 * The producer is one thread, but in two contexts: a wrapper (APP) may be pushing when the handler
 * (HANDLER) interrupts it. Space is therefore reserved by compare-exchange and published apart: the
 * handler that finds a wrapper inside leaves the publishing to it, and the wrapper publishes until
 * nothing came between. The head never moves backwards and nobody waits.
 */
#ifndef SPANPROF_SHIM_RING_H
#define SPANPROF_SHIM_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/feed.h"

struct ring {
	struct feed_ring *control; /* NULL: none claimed */
	uint8_t *data;
	uint32_t size;
	uint64_t key; /* the claim it belongs to; compare with self_page->key */
	/* Written by this thread in both contexts: relaxed atomics, ordered by signal fences. */
	_Atomic uint64_t reserved;
	_Atomic uint32_t pushing; /* a wrapper is between ring_enter and ring_leave */
};

/* Take over a claimed ring control. */
void ring_init(struct ring *ring, struct feed_ring *control, uint8_t *data, uint32_t size,
	       uint64_t key);
/* Space for a record of size bytes (a multiple of FEED_ALIGN), contiguous; NULL: full. */
void *ring_reserve(struct ring *ring, uint32_t size);
/* Give back the end of the last reservation, the handler's own: record keeps size bytes. */
void ring_shrink(struct ring *ring, uint32_t reserved, uint32_t size);
/* HANDLER: publish what was reserved, unless the wrapper below us will. */
void ring_commit(struct ring *ring);
/* APP: around reserve and write. */
void ring_enter(struct ring *ring);
void ring_leave(struct ring *ring);
/* APP or HANDLER, the thread's last act: hand the ring back to the agent. */
void ring_release(struct ring *ring);

#endif
