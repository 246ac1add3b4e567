/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region.h - the host's end of the region (shim/feed.h): formatting it, claiming process slots and
 * rings, counting. Context: HANDLER, and APP through ring.h; the children of shim/attach.c call
 * region_map and region_format while the attaching thread waits for them.
 */
#ifndef SPANPROF_SHIM_REGION_H
#define SPANPROF_SHIM_REGION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/feed.h"
#include "shim/ring.h"

/* Where the parts are. Private memory: a host never follows what the region itself says. */
struct region {
	struct feed_header *header;
	struct feed_process *processes;
	struct feed_ring *rings;
	struct feed_unload *unloads;
	const uint8_t *tables; /* read-only here: the agent writes them */
	uint64_t tables_offset;
	uint64_t tables_size;
	uint8_t *data;
	size_t size;
	uint32_t ring_count, ring_size;
	uint32_t unload_count;
	uint32_t maps_size;
	uint64_t maps_offset;
	bool verify_stacks; /* see struct feed_config */
};

/* How large a region is; smaller ones are for hosts whose limits forbid the first. */
struct region_shape {
	uint32_t ring_count, ring_size, maps_size, tables_size, unload_count;
};

#define REGION_SHAPES 3
extern const struct region_shape region_shapes[REGION_SHAPES];

/* The i-th shape, for this configuration. */
struct region_shape region_shape(int i, const struct feed_config *config);

/*
 * The region in use, or NULL. Writer: the thread that attached (release); readers: acquire. Fork
 * children inherit it.
 */
extern _Atomic(struct region *) region_current;

static inline struct region *region_get(void)
{
	return atomic_load_explicit(&region_current, memory_order_acquire);
}

size_t region_size(const struct region_shape *shape);
/* Lay the parts out over fresh zeroed memory and write the header. */
void region_format(struct region *r, void *base, const struct region_shape *shape,
		   const struct feed_config *config);
/* Claim a process slot for pid. False: none free. */
bool region_claim_process(struct region *r, int32_t pid, uint32_t parent, uint32_t *slot,
			  uint32_t *session);
/* Claim a ring for a thread of the session. NULL: none free. */
struct feed_ring *region_claim_ring(struct region *r, uint32_t slot, uint32_t session, int32_t tid,
				    uint8_t **data);

/* The thread's ring is one of this claim's, claimed now if need be. Inside (shim/self.h), READY. */
bool region_own_ring(struct region *r, struct ring *ring, int32_t tid);

/* Count, in the region when there is one; before that in private memory that the attach carries over. */
void count(enum feed_counter what, uint64_t n);
void count_carry_over(struct region *r);

#endif
