/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drain.c - the consumer of the rings. AGENT. A record is copied out of the shared memory first and
 * looked at then, since the host may change it at any moment; a ring that makes no sense is skipped to
 * its head, counted, and read on.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>

#include "agent/drain.h"
#include "agent/unloads.h"

#define DRAIN_RECORD_MAX                                                                             \
	(sizeof(struct feed_sample) + FEED_FRAMES_MAX * 8 + FEED_REGS * 8 + FEED_STACK_MAX)

static uint64_t malformed;

/* The copy that is looked at. */
static union {
	struct feed_record record;
	struct feed_sample sample;
	struct feed_stretch stretch;
	uint8_t bytes[DRAIN_RECORD_MAX];
} copy;

uint64_t drain_malformed(void)
{
	return malformed;
}

static bool take_sample(struct client *c, struct process *p, struct ring_reader *reader,
			const struct drain_sink *sink, uint32_t size)
{
	const struct feed_sample *s = &copy.sample;
	uint64_t room = size - sizeof(*s);
	struct drained_sample out = {.client = c, .process = p};

	if (size < sizeof(*s) || s->frame_count > FEED_FRAMES_MAX || s->frame_count * 8ULL > room ||
	    s->weight == 0)
		return false;
	out.stretch = s->stretch;
	out.weight = s->weight;
	out.flags = s->record.flags;
	out.maps_epoch = s->maps_epoch;
	out.time_ns = s->time_ns;
	out.context = s->context;
	out.frames = s->frames;
	out.frame_count = s->frame_count;
	room -= s->frame_count * 8ULL;
	if (out.flags & FEED_SAMPLE_STACK) {
		if (room < FEED_REGS * 8 || s->stack_length > FEED_STACK_MAX ||
		    s->stack_length > room - FEED_REGS * 8)
			return false;
		out.regs = s->frames + s->frame_count;
		out.stack = (const uint8_t *)(out.regs + FEED_REGS);
		out.stack_address = s->stack_address;
		out.stack_length = s->stack_length;
	}
	sink->sample(sink->arg, &out, reader);
	return true;
}

static bool take_record(struct client *c, struct process *p, struct ring_reader *reader,
			const struct drain_sink *sink, uint32_t size)
{
	const struct feed_stretch *end = &copy.stretch;

	switch (copy.record.kind) {
	case FEED_PAD:
		return true;
	case FEED_SAMPLE:
		return take_sample(c, p, reader, sink, size);
	case FEED_STRETCH:
	case FEED_TICKET:
		if (size < sizeof(*end))
			return false;
		sink->stretch(sink->arg, end, reader);
		return true;
	}
	return false;
}

/* One record at the reader's tail; 0 if it makes no sense. */
static uint32_t next_record(struct client *c, const uint8_t *data, uint64_t tail, uint64_t available)
{
	uint32_t at = (uint32_t)tail & (c->ring_size - 1);
	struct feed_record record;

	if (available < sizeof(record))
		return 0;
	memcpy(&record, data + at, sizeof(record));
	if (record.size < sizeof(record) || record.size % FEED_ALIGN || record.size > available ||
	    record.size > c->ring_size - at)
		return 0;
	/* A pad may be as long as the ring; of it only the header is needed. */
	if (record.kind == FEED_PAD) {
		copy.record = record;
		return record.size;
	}
	if (record.size > DRAIN_RECORD_MAX)
		return 0;
	memcpy(copy.bytes, data + at, record.size);
	return record.size;
}

/* A sample that a dlclose still running may concern is looked at when that has told what went. */
static bool must_wait(struct client *c, struct process *p, uint32_t size, uint64_t now_ns)
{
	return copy.record.kind == FEED_SAMPLE && size >= sizeof(copy.sample) &&
	       !unloads_settled(c, p, copy.sample.maps_epoch, now_ns);
}

/* *waits: something was left for the next turn. */
static uint64_t drain_ring(struct client *c, uint32_t index, struct process *p,
			   const struct drain_sink *sink, uint64_t now_ns, bool *waits)
{
	struct feed_ring *control = &c->controls[index];
	struct ring_reader *reader = &c->readers[index];
	const uint8_t *data = c->data + (size_t)index * c->ring_size;
	/* Pairs with the producer's release in shim/ring.c. */
	uint64_t head = atomic_load_explicit(&control->head, memory_order_acquire);
	uint64_t records = 0;

	*waits = false;
	if (head - reader->tail > c->ring_size || head % FEED_ALIGN) {
		malformed += head != reader->tail;
		reader->tail = head & ~(uint64_t)(FEED_ALIGN - 1);
	}
	while (head - reader->tail >= FEED_ALIGN && head - reader->tail <= c->ring_size) {
		uint32_t size = next_record(c, data, reader->tail, head - reader->tail);

		*waits = size && must_wait(c, p, size, now_ns);
		if (*waits)
			break;
		records++;
		if (size == 0 || !take_record(c, p, reader, sink, size)) {
			malformed++;
			/* A bad record inside a good frame is skipped; a bad frame ends the batch. */
			if (size == 0) {
				reader->tail = head;
				break;
			}
		}
		reader->tail += size;
	}
	atomic_store_explicit(&control->tail, reader->tail, memory_order_release);
	return records;
}

/* Nobody writes into it any more: give its memory back and let another thread have it. */
static void free_ring(struct client *c, uint32_t index, struct process *p, const struct drain_sink *sink)
{
	struct ring_reader *reader = &c->readers[index];

	sink->closed(sink->arg, p, reader);
	fallocate(c->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		  (uint8_t *)c->data - (uint8_t *)c->header + (off_t)index * c->ring_size,
		  c->ring_size);
	/* The next claim goes on from where this one was read to. */
	atomic_store_explicit(&c->controls[index].head, reader->tail, memory_order_relaxed);
	atomic_store_explicit(&c->controls[index].session, 0, memory_order_relaxed);
	atomic_store_explicit(&c->controls[index].state, FEED_RING_FREE, memory_order_release);
}

static void end_turn(struct client *c, const struct drain_sink *sink, uint64_t now_ns)
{
	for (uint32_t i = 0; i < FEED_PROCESSES; i++) {
		if (c->processes[i] && sink->done)
			sink->done(sink->arg, &c->slots[i], c->processes[i]);
		if (c->processes[i] && c->processes[i]->ended)
			client_forget(c, i, now_ns);
	}
}

uint64_t drain_client(struct client *c, const struct drain_sink *sink, uint64_t now_ns)
{
	uint32_t rings = client_rings(c);
	uint64_t records = 0;

	unloads_take(c, now_ns);
	for (uint32_t i = 0; i < rings; i++) {
		struct feed_ring *control = &c->controls[i];
		uint32_t state = atomic_load_explicit(&control->state, memory_order_acquire);
		uint32_t session = atomic_load_explicit(&control->session, memory_order_acquire);
		struct process *p;
		uint32_t slot;
		uint64_t got;
		bool waits = false;

		if (state == FEED_RING_FREE || session == 0)
			continue;
		/* Once: between a check and a use the host could change it. */
		slot = *(const volatile uint32_t *)&control->process;
		p = client_process(c, slot, session);
		/* A claim whose process is not known yet is read at the next turn: client_update comes
		 * first. One whose process was forgotten will never be written again. */
		if (!p && (slot >= FEED_PROCESSES ||
			   atomic_load(&c->slots[slot].state) == FEED_PROCESS_LIVE))
			continue;
		got = p ? drain_ring(c, i, p, sink, now_ns, &waits) : 0;
		if (got)
			p->seen_ns = now_ns;
		if (p && sink->rest)
			sink->rest(sink->arg, &c->slots[slot], &c->readers[i]);
		records += got;
		/* state was read before the ring was emptied, so nothing came in between. */
		if (!waits && (state == FEED_RING_RELEASED || !p || p->ended))
			free_ring(c, i, p, sink);
	}
	end_turn(c, sink, now_ns);
	return records;
}
