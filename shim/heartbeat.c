/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heartbeat.c - when the agent's count was last seen to move. HANDLER. A thread may be kept off the
 * processor between its look at the clock and its look at the count, while others go on: its time is
 * then before the time noted, which says nothing and is never noted.
 */
#include "shim/heartbeat.h"
#include "shim/sigsafe.h"

#define HEARTBEAT_SILENCE_NS 10000000000ULL

void heartbeat_start(struct heartbeat *h, uint64_t now_ns)
{
	atomic_store_explicit(&h->seen, 0, memory_order_relaxed);
	atomic_store_explicit(&h->moved_ns, now_ns, memory_order_relaxed);
}

bool heartbeat_over(uint64_t now_ns, uint64_t since_ns, uint64_t ns)
{
	return now_ns > since_ns && now_ns - since_ns > ns;
}

static void raise_to(_Atomic uint64_t *time, uint64_t now_ns)
{
	uint64_t before = atomic_load_explicit(time, memory_order_relaxed);

	while (before < now_ns && !atomic_compare_exchange_weak_explicit(time, &before, now_ns,
									 memory_order_relaxed,
									 memory_order_relaxed))
		;
}

enum heartbeat_state heartbeat_look(struct heartbeat *h, uint32_t beat, uint64_t now_ns)
{
	uint64_t moved;

	if (beat != atomic_load_explicit(&h->seen, memory_order_relaxed)) {
		raise_to(&h->moved_ns, now_ns);
		atomic_store_explicit(&h->seen, beat, memory_order_relaxed);
		return HEARTBEAT_MOVED;
	}
	moved = atomic_load_explicit(&h->moved_ns, memory_order_relaxed);
	return heartbeat_over(now_ns, moved, HEARTBEAT_SILENCE_NS) ? HEARTBEAT_SILENT : HEARTBEAT_STILL;
}
