/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region.c - formatting a region, claiming its process slots and rings, counting in it. HANDLER: all
 * of it is loads, stores and compare-exchanges on memory that the host has mapped.
 */
#include "shim/clock.h"
#include "shim/region.h"
#include "shim/self.h"
#include "shim/sigsafe.h"

#define REGION_PAGE 4096U

/* Sparse: only what threads really use becomes memory. The smallest fits any mlock limit. */
const struct region_shape region_shapes[REGION_SHAPES] = {
	{512, 1U << 18, 1U << 21, 1U << 27, 1024},
	{64, 1U << 17, 1U << 18, 1U << 23, 256},
	{16, 1U << 16, 1U << 16, 1U << 20, 32},
};

/* How much more a ring holds when every sample brings its stack along. */
#define REGION_VERIFY_SHIFT 2

_Atomic(struct region *) region_current;

static _Atomic uint64_t early_counters[FEED_COUNTER_COUNT];

static uint64_t page_align(uint64_t n)
{
	return (n + REGION_PAGE - 1) & ~(uint64_t)(REGION_PAGE - 1);
}

static uint64_t processes_offset(void)
{
	return page_align(sizeof(struct feed_header));
}

static uint64_t rings_offset(void)
{
	return processes_offset() + page_align(FEED_PROCESSES * sizeof(struct feed_process));
}

static uint64_t unloads_offset(const struct region_shape *shape)
{
	return rings_offset() + page_align(shape->ring_count * sizeof(struct feed_ring));
}

static uint64_t maps_offset(const struct region_shape *shape)
{
	return unloads_offset(shape) + page_align(shape->unload_count * sizeof(struct feed_unload));
}

static uint64_t tables_offset(const struct region_shape *shape)
{
	return maps_offset(shape) + page_align(shape->maps_size);
}

static uint64_t data_offset(const struct region_shape *shape)
{
	return tables_offset(shape) + page_align(shape->tables_size);
}

struct region_shape region_shape(int i, const struct feed_config *config)
{
	struct region_shape shape = region_shapes[i];

	if (config->verify_stacks)
		shape.ring_size <<= REGION_VERIFY_SHIFT;
	return shape;
}

size_t region_size(const struct region_shape *shape)
{
	return data_offset(shape) + (uint64_t)shape->ring_count * shape->ring_size;
}

void region_format(struct region *r, void *base, const struct region_shape *shape,
		   const struct feed_config *config)
{
	struct feed_header *h = base;

	r->header = h;
	r->size = region_size(shape);
	r->ring_count = shape->ring_count;
	r->ring_size = shape->ring_size;
	r->unload_count = shape->unload_count;
	r->maps_size = shape->maps_size;
	r->maps_offset = maps_offset(shape);
	r->processes = (struct feed_process *)((uint8_t *)base + processes_offset());
	r->rings = (struct feed_ring *)((uint8_t *)base + rings_offset());
	r->unloads = (struct feed_unload *)((uint8_t *)base + unloads_offset(shape));
	r->tables = (uint8_t *)base + tables_offset(shape);
	r->tables_offset = tables_offset(shape);
	r->tables_size = shape->tables_size;
	r->data = (uint8_t *)base + data_offset(shape);
	r->verify_stacks = config->verify_stacks;

	h->magic = FEED_MAGIC;
	h->version = FEED_VERSION;
	h->size = r->size;
	h->processes_offset = (uint32_t)processes_offset();
	h->process_count = FEED_PROCESSES;
	h->rings_offset = (uint32_t)rings_offset();
	h->ring_count = shape->ring_count;
	h->unloads_offset = unloads_offset(shape);
	h->unload_count = shape->unload_count;
	h->maps_offset = r->maps_offset;
	h->maps_size = shape->maps_size;
	h->ring_size = shape->ring_size;
	h->tables_offset = r->tables_offset;
	h->tables_size = r->tables_size;
	h->data_offset = data_offset(shape);
	h->config = *config;
}

bool region_claim_process(struct region *r, int32_t pid, uint32_t parent, uint32_t *slot,
			  uint32_t *session)
{
	for (uint32_t i = 0; i < FEED_PROCESSES; i++) {
		struct feed_process *p = &r->processes[i];
		uint32_t expected = FEED_PROCESS_FREE;

		if (atomic_load_explicit(&p->state, memory_order_relaxed) != FEED_PROCESS_FREE)
			continue;
		if (!atomic_compare_exchange_strong_explicit(&p->state, &expected,
							     FEED_PROCESS_CLAIMING,
							     memory_order_acquire,
							     memory_order_relaxed))
			continue;
		p->session = 1 + atomic_fetch_add(&r->header->sessions, 1);
		p->pid = pid;
		p->parent = parent < FEED_PROCESSES ? parent : i;
		p->boottime_ns = clock_ns(CLOCK_BOOTTIME);
		atomic_store_explicit(&p->maps_epoch, 0, memory_order_relaxed);
		atomic_store_explicit(&p->snapshot, 0, memory_order_relaxed);
		atomic_store_explicit(&p->closing, 0, memory_order_relaxed);
		atomic_store_explicit(&p->lost, 0, memory_order_relaxed);
		atomic_store_explicit(&p->lost_below, 0, memory_order_relaxed);
		atomic_store_explicit(&p->lost_high, 0, memory_order_relaxed);
		for (uint32_t kind = 0; kind < FEED_TRIAL_KINDS; kind++) {
			atomic_store_explicit(&p->verdicts[kind].passed, 0, memory_order_relaxed);
			atomic_store_explicit(&p->verdicts[kind].over, 0, memory_order_relaxed);
		}
		*slot = i;
		*session = p->session;
		/* seq_cst, not release: an agent that is about to leave stores up = 0 and then looks
		 * for live slots, while we claim a slot and then look at up; one of us sees the other. */
		atomic_store_explicit(&p->state, FEED_PROCESS_LIVE, memory_order_seq_cst);
		return true;
	}
	count(FEED_COUNTER_slot_none, 1);
	return false;
}

struct feed_ring *region_claim_ring(struct region *r, uint32_t slot, uint32_t session, int32_t tid,
				    uint8_t **data)
{
	uint32_t start = atomic_fetch_add_explicit(&r->header->ring_hint, 1, memory_order_relaxed);

	for (uint32_t i = 0; i < r->ring_count; i++) {
		uint32_t index = (start + i) % r->ring_count;
		struct feed_ring *ring = &r->rings[index];
		uint32_t expected = FEED_RING_FREE;

		if (atomic_load_explicit(&ring->state, memory_order_relaxed) != FEED_RING_FREE)
			continue;
		if (!atomic_compare_exchange_strong_explicit(&ring->state, &expected,
							     FEED_RING_CLAIMED,
							     memory_order_acquire,
							     memory_order_relaxed))
			continue;
		ring->process = slot;
		ring->tid = tid;
		atomic_store_explicit(&ring->session, session, memory_order_release);
		*data = r->data + (size_t)index * r->ring_size;
		return ring;
	}
	return NULL;
}

bool region_own_ring(struct region *r, struct ring *ring, int32_t tid)
{
	struct feed_ring *control;
	uint8_t *data;

	if (ring->control && ring->key == self_page->key)
		return true;
	control = region_claim_ring(r, self_page->slot, self_session(), tid, &data);
	if (control)
		ring_init(ring, control, data, r->ring_size, self_page->key);
	return control;
}

void count(enum feed_counter what, uint64_t n)
{
	struct region *r;

	self_enter();
	r = region_get();
	atomic_fetch_add_explicit(r ? &r->header->counters[what] : &early_counters[what], n,
				  memory_order_relaxed);
	self_leave();
}

void count_carry_over(struct region *r)
{
	for (unsigned i = 0; i < FEED_COUNTER_COUNT; i++) {
		uint64_t n = atomic_exchange_explicit(&early_counters[i], 0, memory_order_relaxed);

		atomic_fetch_add_explicit(&r->header->counters[i], n, memory_order_relaxed);
	}
}
