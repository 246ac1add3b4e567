/* SPDX-License-Identifier: Apache-2.0 */
/*
 * past.c - what lay at an address when a sample was taken. AGENT. Objects go by dlclose only, and each
 * that went was told of with the numbers before and after and a time, so:
 *
 * - one that went later than the sample was there, if the sample is from before its dlclose began;
 * - if the sample is from while that dlclose ran, so it was unless another may have come by then;
 * - otherwise what a map says holds, if nothing there went between the two.
 *
 * Where this does not decide, nobody knows. A name is never another object's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/unloads.h"

#define PAST_PATH_MAX 320

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static bool lies_in(const struct unload *u, uint64_t pc)
{
	return pc >= u->start && pc < u->end;
}

/* The module of that file, if it is the very object. */
static bool same_object(struct unload *u, struct modules *modules, pid_t pid)
{
	const struct module *m = module_get(modules, &u->entry, pid);

	return !m->anon && !m->error && *u->build_id && strcmp(m->build_id, u->build_id) == 0;
}

/* By the process's name for it: in our own root directory, or in the process's. */
static bool find_file(struct unload *u, struct modules *modules, pid_t pid)
{
	char path[PAST_PATH_MAX], *real;
	struct stat st;

	if (!u->told || !*u->build_id)
		return false;
	real = realpath(u->told, NULL);
	free(u->path);
	u->path = real ? real : strdup(u->told);
	if (!u->path)
		return false;
	u->entry.path = u->path;
	u->entry.deleted = false;
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, u->told);
	for (int i = 0; i < 2; i++) {
		if (stat(i ? path : u->path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		u->entry.dev = st.st_dev;
		u->entry.inode = st.st_ino;
		if (same_object(u, modules, pid))
			return true;
	}
	return false;
}

/* A copy that is deleted by now, of an object that is known: the same build is the same code. */
static bool find_twin(struct unload *u, const struct modules *modules)
{
	const struct module *m = *u->build_id ? module_by_build_id(modules, u->build_id) : NULL;
	char *path = m ? strdup(m->path) : NULL;

	if (!path)
		return false;
	free(u->path);
	u->entry.path = u->path = path;
	u->entry.dev = m->dev;
	u->entry.inode = m->inode;
	return true;
}

/* An object without a build-id is what a map said that was read since the one before it was there. */
static bool told_by_map(const struct unloads *all, const struct unload *u)
{
	if (*u->build_id || before(u->entry_epoch, all->lost))
		return false;
	for (size_t i = 0; i < all->count; i++) {
		const struct unload *o = &all->items[i];

		if (o != u && o->start < u->end && u->start < o->end &&
		    before(u->entry_epoch, o->end_epoch) && before(o->begin, u->begin))
			return false;
	}
	return true;
}

/* Looked for when a sample first asks. */
static const struct maps_entry *entry_of(struct unloads *all, struct unload *u,
					 struct modules *modules, pid_t pid, uint64_t pc)
{
	if (u->identity == UNLOAD_UNSEEN) {
		bool known = (u->entry.inode &&
			      (told_by_map(all, u) || same_object(u, modules, pid))) ||
			     find_file(u, modules, pid) || find_twin(u, modules);

		u->identity = known ? UNLOAD_KNOWN : UNLOAD_UNKNOWN;
	}
	return u->identity == UNLOAD_KNOWN && pc >= u->entry.start && pc < u->entry.end ? &u->entry
											 : NULL;
}

/* Two dlcloses at once tell of what went by either. */
static bool same_unload(const struct unload *a, const struct unload *b)
{
	return a == b || (a->start == b->start && a->end == b->end && *a->build_id &&
			  strcmp(a->build_id, b->build_id) == 0);
}

/* The first that went after the sample; NULL: none did. */
static struct unload *went_after(const struct past *past, uint64_t pc, bool *certain)
{
	struct unloads *all = past->process->unloads;
	struct unload *best = NULL;
	size_t i = all->count;

	while (i && all->items[i - 1].time_ns >= past->time_ns) {
		struct unload *u = &all->items[--i];

		if (lies_in(u, pc) && (!best || before(u->begin, best->begin)))
			best = u;
	}
	*certain = best && before(past->epoch, best->begin);
	if (!best || *certain)
		return best;
	*certain = !best->reused;
	for (; i < all->count; i++)
		if (!same_unload(&all->items[i], best) && lies_in(&all->items[i], pc) &&
		    !before(best->looked, all->items[i].begin))
			*certain = false;
	return best;
}

/* The map is from before the sample, and something of it went in between. */
static bool outdated(const struct past *past, uint64_t pc)
{
	const struct unloads *all = past->process->unloads;
	uint32_t read = past->process->maps_epoch;

	if (pc >= all->low && pc < all->high && before(read, all->lost))
		return true;
	for (size_t i = all->count; i-- && before(read, past->epoch);)
		if (lies_in(&all->items[i], pc) && all->items[i].time_ns < past->time_ns &&
		    before(read, all->items[i].end_epoch))
			return true;
	return false;
}

static bool find(struct maps_past *lookup, uint64_t pc, const struct maps_entry **entry)
{
	const struct past *past = (struct past *)lookup;
	struct unloads *all = past->process->unloads;
	struct unload *u;
	bool certain;

	*entry = NULL;
	if (!all || (!all->count && !all->lost))
		return false;
	lookup->generation = all->generation;
	u = went_after(past, pc, &certain);
	if (u) {
		if (certain)
			*entry = entry_of(all, u, past->modules, past->process->pid, pc);
		return true;
	}
	if (pc >= all->low && pc < all->high && before(past->epoch, all->lost))
		return true;
	return outdated(past, pc);
}

void past_enter(struct past *past, struct modules *modules, struct process *process,
		uint32_t epoch, uint64_t time_ns)
{
	*past = (struct past){.lookup = {.find = find},
			      .modules = modules,
			      .process = process,
			      .epoch = epoch,
			      .time_ns = time_ns};
	process->past = &past->lookup;
}

void past_leave(struct process *process)
{
	process->past = NULL;
	if (process->mapset)
		process->mapset->maps.past = NULL;
}
