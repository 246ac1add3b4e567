/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unloads.c - from the region's log to each process's list of what went. AGENT. An entry is copied,
 * bounded and freed; it stays in the list while samples from before may still be drained, and until
 * the process's map has been read anew.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/unloads.h"

static void release(struct unload *item)
{
	free(item->path);
	free(item->told);
}

void unloads_free(struct unloads *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->count; i++)
		release(&u->items[i]);
	free(u->items);
	free(u);
}

static struct unloads *unloads_of(struct process *p)
{
	if (!p->unloads) {
		p->unloads = calloc(1, sizeof(*p->unloads));
		if (p->unloads)
			p->unloads->low = UINT64_MAX;
	}
	return p->unloads;
}

static void lose(struct unloads *u, uint64_t low, uint64_t high, uint32_t epoch)
{
	u->low = low < u->low ? low : u->low;
	u->high = high > u->high ? high : u->high;
	if ((int32_t)(epoch - u->lost) > 0)
		u->lost = epoch;
	u->generation = maps_new_generation();
}

static void drop_first(struct unloads *u, size_t n)
{
	for (size_t i = 0; i < n; i++)
		release(&u->items[i]);
	u->count -= n;
	memmove(u->items, u->items + n, u->count * sizeof(*u->items));
	u->generation = maps_new_generation();
}

/* Which file it was, the map may have said before; else there is the process's own name for it. */
static void identify(struct unload *item, const struct process *p, const struct feed_object *o)
{
	uint32_t begin = item->begin;
	const struct maps_entry *e;

	item->entry = (struct maps_entry){.start = o->text_start,
					  .end = o->text_end,
					  .offset = o->text_offset,
					  .exec = true,
					  .readable = true};
	e = p->mapset && (int32_t)(begin - p->maps_epoch) > 0
		    ? maps_find(&p->mapset->maps, o->text_start)
		    : NULL;
	if (e && e->exec && e->inode && e->start == o->text_start && e->offset == o->text_offset) {
		item->entry = *e;
		item->entry_epoch = p->maps_epoch;
		item->path = strdup(e->path);
	}
	item->entry.path = item->path ? item->path : "";
	if (o->path[0] == '/')
		item->told = strndup(o->path, sizeof(o->path));
	for (uint32_t i = 0; i < o->build_id_size; i++) {
		item->build_id[2 * i] = "0123456789abcdef"[o->build_id[i] >> 4];
		item->build_id[2 * i + 1] = "0123456789abcdef"[o->build_id[i] & 15];
	}
}

static bool sane(const struct feed_object *o)
{
	return o->start < o->end && o->build_id_size <= sizeof(o->build_id) &&
	       o->text_start <= o->text_end && o->start <= o->text_start &&
	       o->text_end <= o->end && o->text_offset <= UINT64_MAX - (o->end - o->start);
}

static void add(struct unloads *u, const struct process *p, const struct feed_unload *e,
		uint64_t now_ns)
{
	struct unload *bigger, item = {.start = e->object.start,
				       .end = e->object.end,
				       .time_ns = e->time_ns,
				       .begin = e->begin,
				       .end_epoch = e->end,
				       .looked = e->looked,
				       .reused = e->reused,
				       .read_ns = now_ns};
	size_t at;

	if (u->count == UNLOADS_MAX) {
		lose(u, u->items[0].start, u->items[0].end, u->items[0].end_epoch);
		drop_first(u, 1);
	}
	if (u->count == u->room) {
		size_t room = u->room ? 2 * u->room : 16;

		bigger = realloc(u->items, room * sizeof(*bigger));
		if (!bigger) {
			lose(u, item.start, item.end, item.end_epoch);
			return;
		}
		u->items = bigger;
		u->room = room;
	}
	identify(&item, p, &e->object);
	for (at = u->count; at && u->items[at - 1].time_ns > item.time_ns; at--)
		;
	memmove(u->items + at + 1, u->items + at, (u->count - at) * sizeof(*u->items));
	u->items[at] = item;
	u->count++;
	u->generation = maps_new_generation();
}

static void prune(struct unloads *u, const struct process *p, uint64_t now_ns)
{
	size_t n = 0;

	while (n < u->count && now_ns - u->items[n].read_ns > UNLOADS_KEEP_NS &&
	       (int32_t)(u->items[n].end_epoch - p->maps_epoch) <= 0)
		n++;
	if (n)
		drop_first(u, n);
}

/* Only of processes that ever ran a dlclose. */
static void note_losses(struct client *c, struct process *p)
{
	struct feed_process *slot = &c->slots[p->slot];
	uint32_t lost = atomic_load(&slot->lost);
	struct unloads *u;

	if (!lost || (p->unloads && p->unloads->lost == lost))
		return;
	u = unloads_of(p);
	if (u)
		lose(u, UINT64_MAX - atomic_load(&slot->lost_below), atomic_load(&slot->lost_high),
		     lost);
}

bool unloads_quiet(const struct client *c, const struct process *p, uint32_t *epoch)
{
	const struct feed_process *slot = &c->slots[p->slot];

	*epoch = atomic_load(&slot->maps_epoch);
	return atomic_load(&slot->closing) == 0 && atomic_load(&slot->maps_epoch) == *epoch;
}

static void empty_log(struct client *c, uint64_t now_ns)
{
	uint32_t used = atomic_load(&c->header->unloads_used);

	for (uint32_t i = 0; i < used && i < c->log_count; i++) {
		struct feed_unload *entry = &c->log[i], copy;
		struct process *p;

		/* Pairs with the release in shim/unload.c. */
		if (atomic_load_explicit(&entry->state, memory_order_acquire) != FEED_UNLOAD_FULL)
			continue;
		memcpy(&copy, entry, sizeof(copy));
		atomic_store_explicit(&entry->state, FEED_UNLOAD_FREE, memory_order_release);
		p = client_process(c, copy.slot, copy.session);
		if (p && sane(&copy.object) && unloads_of(p))
			add(p->unloads, p, &copy, now_ns);
	}
}

void unloads_take(struct client *c, uint64_t now_ns)
{
	uint32_t slots = client_slots(c), epochs[FEED_PROCESSES];
	bool quiet[FEED_PROCESSES], any = false;

	/* Whoever is seen at rest has told all before. */
	for (uint32_t i = 0; i < slots; i++) {
		struct process *p = c->processes[i];

		quiet[i] = p && unloads_quiet(c, p, &epochs[i]) && epochs[i];
		any |= p && atomic_load(&c->slots[i].maps_epoch);
	}
	if (!any)
		return;
	empty_log(c, now_ns);
	for (uint32_t i = 0; i < slots; i++) {
		struct process *p = c->processes[i];

		if (!p)
			continue;
		note_losses(c, p);
		if (quiet[i] && unloads_of(p)) {
			p->unloads->settled = epochs[i];
			p->unloads->unsettled_ns = 0;
		}
		if (p->unloads)
			prune(p->unloads, p, now_ns);
	}
}

bool unloads_impatient(const struct process *p, uint64_t now_ns)
{
	return p->unloads && p->unloads->unsettled_ns &&
	       now_ns - p->unloads->unsettled_ns >= UNLOADS_PATIENCE_NS;
}

/* Without a map, one can be read when no dlclose runs. */
bool unloads_settled(struct client *c, struct process *p, uint32_t epoch, uint64_t now_ns)
{
	uint32_t now, settled = p->unloads ? p->unloads->settled : 0;
	bool quiet = unloads_quiet(c, p, &now);
	struct unloads *u;

	if (p->ended || (int32_t)(epoch - now) > 0)
		return true;
	if ((int32_t)(epoch - settled) <= 0 && (quiet || p->mapset))
		return true;
	if (quiet)
		unloads_take(c, now_ns);
	u = unloads_of(p);
	if (!u || (quiet && (int32_t)(epoch - u->settled) <= 0))
		return true;
	if (!u->unsettled_ns)
		u->unsettled_ns = now_ns;
	return unloads_impatient(p, now_ns);
}
