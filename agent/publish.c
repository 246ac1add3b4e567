/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish.c - objects' tables go into a region once, snapshots of maps once for each distinct one:
 * a thousand forks of one server share both. AGENT. The order is what a handler relies on: contents
 * first, then the slot's word (release); a part is reused only after the grace period.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/ehframe.h"
#include "agent/extent.h"
#include "agent/log.h"
#include "agent/publish.h"
#include "agent/undescribed.h"
#include "agent/unloads.h"

#define TABLES_BUCKETS 256
#define PUBLISH_MAPPINGS_MAX 8192 /* executable mappings of one process; more are left out */
#define PUBLISH_RETRY_NS 200000000ULL

struct compiled {
	struct compiled *next;
	const struct module *module;
	struct ehframe_table table; /* count 0: there is none */
};

struct tables {
	struct compiled *buckets[TABLES_BUCKETS];
};

/* An object's rows in a region. */
struct placed {
	struct placed *next;
	const struct compiled *compiled;
	uint32_t offset;
};

struct placed_snapshot {
	struct placed_snapshot *next;
	uint32_t offset;
	unsigned references; /* processes whose current one it is */
	uint64_t retired_ns; /* since when nobody's */
	size_t size;
};

struct publication {
	struct extents extents;
	struct placed *objects;
	struct placed_snapshot *snapshots;
	bool full; /* said */
};

struct tables *tables_new(void)
{
	return calloc(1, sizeof(struct tables));
}

void tables_free(struct tables *tables)
{
	for (size_t i = 0; tables && i < TABLES_BUCKETS; i++) {
		while (tables->buckets[i]) {
			struct compiled *c = tables->buckets[i];

			tables->buckets[i] = c->next;
			ehframe_release(&c->table);
			free(c);
		}
	}
	free(tables);
}

static const struct compiled *compile(struct tables *tables, struct module *m)
{
	struct compiled **bucket = &tables->buckets[((uintptr_t)m >> 6) % TABLES_BUCKETS], *c;

	for (c = *bucket; c; c = c->next)
		if (c->module == m)
			return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->module = m;
	if (ehframe_compile(module_frames(m), &c->table) != 0)
		memset(&c->table, 0, sizeof(c->table));
	undescribed_add(m, &c->table);
	log_debug("%s: %zu unwind rows", m->name, c->table.count);
	c->next = *bucket;
	*bucket = c;
	return c;
}

const struct feed_row *tables_row(struct tables *tables, struct module *m, uint64_t vaddr)
{
	const struct compiled *c = m->anon || m->error ? NULL : compile(tables, m);

	return c && c->table.count ? ehframe_lookup(&c->table, vaddr) : NULL;
}

static struct publication *publication_of(struct client *c)
{
	if (!c->publication && c->tables_size) {
		c->publication = calloc(1, sizeof(*c->publication));
		if (c->publication)
			c->publication->extents.area = c->tables_size;
	}
	return c->publication;
}

/* The rows' offset in the region, or EXTENT_NONE. */
static uint32_t place(struct client *c, const struct compiled *compiled)
{
	struct publication *p = c->publication;
	size_t size = ehframe_published_size(&compiled->table);
	struct placed *placed;
	uint32_t offset;

	for (placed = p->objects; placed; placed = placed->next)
		if (placed->compiled == compiled)
			return placed->offset;
	placed = calloc(1, sizeof(*placed));
	offset = placed ? extent_take(&p->extents, size) : EXTENT_NONE;
	if (offset == EXTENT_NONE) {
		if (!p->full)
			log_info("unwind tables: %s does not fit; its frames are walked by the agent",
				 compiled->module->name);
		p->full = true;
		free(placed);
		return EXTENT_NONE;
	}
	ehframe_publish(&compiled->table, c->tables + offset);
	*placed = (struct placed){p->objects, compiled, offset};
	p->objects = placed;
	return offset;
}

static struct feed_mapping describe(struct tables *tables, struct modules *modules,
				    struct client *c, struct process *process,
				    const struct maps_entry *entry)
{
	struct feed_mapping mapping = {.start = entry->start, .end = entry->end};
	struct module *m = module_get(modules, entry, process->pid);
	const struct compiled *compiled;

	if (m->anon) {
		mapping.row_count = FEED_FRAME_POINTERS;
		return mapping;
	}
	compiled = m->error ? NULL : compile(tables, m);
	if (!compiled || !compiled->table.count)
		return mapping;
	mapping.rows_offset = place(c, compiled);
	if (mapping.rows_offset == EXTENT_NONE)
		return mapping;
	mapping.row_count = (uint32_t)compiled->table.count;
	mapping.base = entry->start - module_vaddr(m, entry, entry->start) + compiled->table.base;
	return mapping;
}

static struct feed_snapshot *make_snapshot(struct tables *tables, struct modules *modules,
					   struct client *c, struct process *process,
					   const struct maps *maps, size_t *size)
{
	size_t room = maps->count < PUBLISH_MAPPINGS_MAX ? maps->count : PUBLISH_MAPPINGS_MAX;
	struct feed_snapshot *s = calloc(1, sizeof(*s) + room * sizeof(s->mappings[0]));

	if (!s)
		return NULL;
	for (size_t i = 0; i < maps->count && s->count < room; i++)
		if (maps->entries[i].exec)
			s->mappings[s->count++] =
				describe(tables, modules, c, process, &maps->entries[i]);
	*size = sizeof(*s) + s->count * sizeof(s->mappings[0]);
	return s;
}

static void sweep(struct client *c, uint64_t now_ns)
{
	for (struct placed_snapshot **link = &c->publication->snapshots; *link;) {
		struct placed_snapshot *s = *link;

		if (s->references || now_ns - s->retired_ns < PUBLISH_GRACE_NS) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		extent_give(&c->publication->extents, s->offset);
		free(s);
	}
}

/* One like it that is there already, or a new one. */
static struct placed_snapshot *place_snapshot(struct client *c, const struct feed_snapshot *snapshot,
					      size_t size)
{
	struct placed_snapshot *s;

	for (s = c->publication->snapshots; s; s = s->next)
		if (s->size == size && memcmp(c->tables + s->offset, snapshot, size) == 0)
			return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->size = size;
	s->offset = extent_take(&c->publication->extents, size);
	if (s->offset == EXTENT_NONE) {
		free(s);
		return NULL;
	}
	memcpy(c->tables + s->offset, snapshot, size);
	s->next = c->publication->snapshots;
	c->publication->snapshots = s;
	return s;
}

void publish_forget(struct client *c, struct process *process, uint64_t now_ns)
{
	if (!c->publication)
		return;
	for (struct placed_snapshot *s = c->publication->snapshots; s; s = s->next) {
		if (s->offset != process->snapshot || !s->references)
			continue;
		if (--s->references == 0)
			s->retired_ns = now_ns;
	}
	process->snapshot = 0;
}

static void install(struct client *c, struct process *process, struct placed_snapshot *s,
		    uint64_t now_ns)
{
	if (s->offset == process->snapshot)
		return;
	s->references++;
	publish_forget(c, process, now_ns);
	process->snapshot = s->offset;
	/* Pairs with the acquire in shim/sample.c. */
	atomic_store_explicit(&c->slots[process->slot].snapshot, s->offset, memory_order_release);
}

void publish_process(struct tables *tables, struct modules *modules, struct client *c,
		     struct process *process, uint64_t now_ns)
{
	uint32_t epoch;
	bool quiet = unloads_quiet(c, process, &epoch), stale = epoch != process->maps_epoch;
	struct feed_snapshot *snapshot;
	struct placed_snapshot *placed;
	const struct maps *maps;
	size_t size;

	if (process->ended || !publication_of(c))
		return;
	if (stale && now_ns - process->maps_read_ns < PUBLISH_RETRY_NS)
		return;
	maps = client_maps(c, process, stale, now_ns);
	/* A map of another epoch says nothing about this one, nor does one about a dlclose that is still
	 * to unmap something. */
	if (!maps->count || !quiet || process->maps_epoch != epoch ||
	    (maps->generation == process->published_generation &&
	     epoch == process->published_epoch))
		return;
	sweep(c, now_ns);
	snapshot = make_snapshot(tables, modules, c, process, maps, &size);
	if (!snapshot)
		return;
	snapshot->maps_epoch = epoch;
	placed = place_snapshot(c, snapshot, size);
	free(snapshot);
	if (!placed)
		return;
	install(c, process, placed, now_ns);
	process->published_generation = maps->generation;
	process->published_epoch = epoch;
}

void publish_release(struct client *c)
{
	struct publication *p = c->publication;

	if (!p)
		return;
	while (p->snapshots) {
		struct placed_snapshot *s = p->snapshots;

		p->snapshots = s->next;
		free(s);
	}
	while (p->objects) {
		struct placed *o = p->objects;

		p->objects = o->next;
		free(o);
	}
	extent_release(&p->extents);
	free(p);
	c->publication = NULL;
}
