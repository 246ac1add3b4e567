/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.c - reserve, publish and release in a thread's ring. HANDLER and APP, of one thread; the agent
 * is at the other end (agent/drain.c). See ring.h for how the two contexts share it.
 */
#include <stddef.h>

#include "shim/ring.h"
#include "shim/sigsafe.h"

static void signal_fence(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

void ring_init(struct ring *ring, struct feed_ring *control, uint8_t *data, uint32_t size,
	       uint64_t key)
{
	uint64_t head = atomic_load_explicit(&control->head, memory_order_relaxed) & ~7ULL;

	ring->control = control;
	ring->data = data;
	ring->size = size;
	ring->key = key;
	atomic_store_explicit(&ring->reserved, head, memory_order_relaxed);
	atomic_store_explicit(&ring->pushing, 0, memory_order_relaxed);
}

void *ring_reserve(struct ring *ring, uint32_t size)
{
	uint64_t start = atomic_load_explicit(&ring->reserved, memory_order_relaxed);

	for (;;) {
		uint32_t at = (uint32_t)start & (ring->size - 1);
		uint32_t pad = ring->size - at < size ? ring->size - at : 0;
		uint64_t tail = atomic_load_explicit(&ring->control->tail, memory_order_acquire);
		uint64_t used = start - tail;

		if (used > ring->size || ring->size - used < (uint64_t)pad + size)
			return NULL;
		if (!atomic_compare_exchange_weak_explicit(&ring->reserved, &start,
							   start + pad + size, memory_order_relaxed,
							   memory_order_relaxed))
			continue;
		if (pad) {
			struct feed_record *filler = (struct feed_record *)(ring->data + at);

			*filler = (struct feed_record){.size = pad, .kind = FEED_PAD};
			at = 0;
		}
		return ring->data + at;
	}
}

void ring_shrink(struct ring *ring, uint32_t reserved, uint32_t size)
{
	uint64_t end = atomic_load_explicit(&ring->reserved, memory_order_relaxed);

	atomic_store_explicit(&ring->reserved, end - reserved + size, memory_order_relaxed);
}

static uint64_t ring_publish(struct ring *ring)
{
	uint64_t end = atomic_load_explicit(&ring->reserved, memory_order_relaxed);

	/* Pairs with the agent's acquire load in drain.c: all before end is written. */
	atomic_store_explicit(&ring->control->head, end, memory_order_release);
	return end;
}

void ring_commit(struct ring *ring)
{
	signal_fence();
	if (!atomic_load_explicit(&ring->pushing, memory_order_relaxed))
		ring_publish(ring);
}

void ring_enter(struct ring *ring)
{
	atomic_store_explicit(&ring->pushing, 1, memory_order_relaxed);
	signal_fence();
}

void ring_leave(struct ring *ring)
{
	uint64_t published;

	/* A handler that came between publishing and clearing the flag relied on us: look again. */
	do {
		ring_enter(ring);
		published = ring_publish(ring);
		signal_fence();
		atomic_store_explicit(&ring->pushing, 0, memory_order_relaxed);
		signal_fence();
	} while (atomic_load_explicit(&ring->reserved, memory_order_relaxed) != published);
}

void ring_release(struct ring *ring)
{
	struct feed_ring *control = ring->control;

	ring->control = NULL;
	signal_fence();
	if (control)
		atomic_store_explicit(&control->state, FEED_RING_RELEASED, memory_order_release);
}
