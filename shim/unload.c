/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unload.c - what was loaded before a dlclose and is not after it. APP. The order is what the agent
 * relies on: closing is not 0 from before the epoch's first move until the last object is told, so
 * that who sees it at 0 knows of all that went up to that epoch.
 *
 * Everything here goes by dl_iterate_phdr, whose lock is the loader's. The real dlclose takes it as
 * well, so no order of locks comes about that the program does not have without us.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "shim/clock.h"
#include "shim/object.h"
#include "shim/real.h"
#include "shim/region.h"
#include "shim/self.h"
#include "shim/unload.h"

#define UNLOAD_WATCHES 8   /* dlcloses at once that are told in full */
#define UNLOAD_OBJECTS 64U /* the newest, of those that can be unloaded at all */

struct unload_watch {
	/* Claimed for one dlclose by compare-exchange (acquire), given back by a store (release). */
	_Atomic bool taken;
	unsigned long long subs; /* objects ever unloaded, when the dlclose began */
	size_t count;		 /* dlopen'ed objects, those above the bound included */
	size_t missing;
	unsigned long long gone; /* objects, by whichever thread */
	size_t turn; /* of the walk over the loader's list */
	uint64_t low, high; /* where those above the bound are */
	struct {
		bool there, reused;
		struct feed_object object;
	} of[UNLOAD_OBJECTS];
};

static struct unload_watch watches[UNLOAD_WATCHES]; /* untouched, so no memory, without a dlclose */
static size_t started_with;

static int count_loaded(struct dl_phdr_info *info, size_t size, void *unused)
{
	started_with = (size_t)(info->dlpi_adds - info->dlpi_subs);
	return 1;
}

void unload_init(void)
{
	REAL(dl_iterate_phdr)(count_loaded, NULL);
}

static struct unload_watch *take_watch(void)
{
	for (size_t i = 0; i < UNLOAD_WATCHES; i++) {
		bool expected = false;

		if (atomic_compare_exchange_strong_explicit(&watches[i].taken, &expected, true,
							    memory_order_acquire,
							    memory_order_relaxed))
			return &watches[i];
	}
	return NULL;
}

static size_t watched(const struct unload_watch *w)
{
	return w->count < UNLOAD_OBJECTS ? w->count : UNLOAD_OBJECTS;
}

/* The loader's list is in the order of loading: the newest overwrite the oldest. */
static int note(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct unload_watch *w = arg;
	struct feed_object *o;
	size_t at = w->count % UNLOAD_OBJECTS;

	if (w->turn++ < started_with)
		return 0;
	o = &w->of[at].object;
	if (w->count++ >= UNLOAD_OBJECTS) {
		w->low = o->start < w->low ? o->start : w->low;
		w->high = o->end > w->high ? o->end : w->high;
	}
	object_describe(o, info);
	w->of[at].there = w->of[at].reused = false;
	w->subs = info->dlpi_subs;
	return 0;
}

/* Is it one of those that were there, or does it lie where one was? */
static int compare(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct unload_watch *w = arg;
	struct feed_object now;

	w->gone = info->dlpi_subs - w->subs;
	if (!w->gone)
		return 1;
	if (w->turn++ < started_with)
		return 0;
	object_describe(&now, info);
	for (size_t i = 0; i < watched(w); i++) {
		const struct feed_object *then = &w->of[i].object;

		if (memcmp(then, &now, sizeof(now)) == 0) {
			w->missing -= !w->of[i].there;
			w->of[i].there = true;
		} else if (now.start < then->end && then->start < now.end) {
			w->of[i].reused = true;
		}
	}
	return 0;
}

void unload_begin(struct unload *u)
{
	struct feed_process *p;
	struct region *r;

	*u = (struct unload){0};
	self_enter();
	r = region_get();
	if (r && self_state() == SELF_READY) {
		p = &r->processes[self_page->slot];
		u->session = self_session();
		atomic_fetch_add(&p->closing, 1);
		u->begin = atomic_fetch_add(&p->maps_epoch, 1) + 1;
	}
	self_leave();
	if (!u->session)
		return;
	u->watch = take_watch();
	if (!u->watch)
		return;
	u->watch->count = u->watch->turn = 0;
	u->watch->low = UINT64_MAX;
	u->watch->high = 0;
	REAL(dl_iterate_phdr)(note, u->watch);
}

static void raise_to(_Atomic uint64_t *word, uint64_t value)
{
	uint64_t old = atomic_load(word);

	while (old < value && !atomic_compare_exchange_weak(word, &old, value))
		;
}

static void tell_lost(struct feed_process *p, uint64_t low, uint64_t high, uint32_t end)
{
	raise_to(&p->lost_below, UINT64_MAX - low);
	raise_to(&p->lost_high, high);
	atomic_store(&p->lost, end);
	count(FEED_COUNTER_unload_lost, 1);
}

/* The lowest that is free, so that few of them ever become memory. */
static struct feed_unload *claim(struct region *r)
{
	_Atomic uint32_t *used = &r->header->unloads_used;

	for (uint32_t i = 0; i < r->unload_count; i++) {
		struct feed_unload *entry = &r->unloads[i];
		uint32_t expected = FEED_UNLOAD_FREE, below = atomic_load(used);

		if (atomic_load_explicit(&entry->state, memory_order_relaxed) != expected ||
		    !atomic_compare_exchange_strong_explicit(&entry->state, &expected,
							     FEED_UNLOAD_CLAIMED,
							     memory_order_acquire,
							     memory_order_relaxed))
			continue;
		while (below <= i && !atomic_compare_exchange_weak(used, &below, i + 1))
			;
		return entry;
	}
	return NULL;
}

static void tell(struct region *r, struct feed_process *p, const struct unload *u,
		 const struct feed_unload *common)
{
	const struct unload_watch *w = u->watch;

	for (size_t i = 0; i < watched(w); i++) {
		const struct feed_object *o = &w->of[i].object;
		struct feed_unload *entry;

		if (w->of[i].there)
			continue;
		entry = claim(r);
		if (!entry) {
			tell_lost(p, o->start, o->end, common->end);
			continue;
		}
		entry->session = common->session;
		entry->slot = common->slot;
		entry->begin = common->begin;
		entry->end = common->end;
		entry->looked = common->looked;
		entry->reused = w->of[i].reused;
		entry->time_ns = common->time_ns;
		entry->object = *o;
		/* Pairs with the agent's acquire in agent/unloads.c. */
		atomic_store_explicit(&entry->state, FEED_UNLOAD_FULL, memory_order_release);
	}
}

static void look(struct region *r, struct feed_process *p, const struct unload *u,
		 struct feed_unload *common)
{
	struct unload_watch *w = u->watch;

	if (!w) {
		tell_lost(p, 0, UINT64_MAX, common->end);
		return;
	}
	w->missing = watched(w);
	w->turn = 0;
	/* Nothing that could go was there: what came since, another dlclose tells of. */
	if (!w->count)
		return;
	REAL(dl_iterate_phdr)(compare, w);
	common->looked = atomic_load(&p->maps_epoch);
	if (!w->gone)
		return;
	tell(r, p, u, common);
	/* One of many, older than those that were looked at? */
	if (w->count > UNLOAD_OBJECTS && w->gone > w->missing)
		tell_lost(p, w->low, w->high, common->end);
}

void unload_end(struct unload *u)
{
	struct feed_unload common = {.session = u->session, .begin = u->begin};
	struct feed_process *p;
	struct region *r;

	if (!u->session)
		return;
	common.time_ns = clock_ns(CLOCK_MONOTONIC);
	self_enter();
	r = region_get();
	/* A destructor may have forked, and we be the child. */
	if (r && self_state() == SELF_READY && self_session() == u->session) {
		common.slot = self_page->slot;
		p = &r->processes[common.slot];
		common.end = atomic_fetch_add(&p->maps_epoch, 1) + 1;
		look(r, p, u, &common);
		atomic_fetch_sub(&p->closing, 1);
	}
	self_leave();
	if (u->watch)
		atomic_store_explicit(&u->watch->taken, false, memory_order_release);
}
