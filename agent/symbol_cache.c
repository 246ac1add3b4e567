/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table of addresses in order of their last use, over a hash table of counted strings.
 *
 * AGENT: called by symbol.c only.
 */
#include "agent/symbol_cache.h"

#include <stdlib.h>
#include <string.h>

#define CACHE_BUCKETS 16384 /* power of two */
#define CACHE_OVERHEAD 16   /* of one malloc */

struct text {
	struct text *next;
	size_t references, len;
	uint64_t hash;
	char bytes[];
};

struct cached {
	struct cached *next;	      /* in its bucket */
	struct cached *newer, *older; /* by last use */
	const void *owner;
	uint64_t vaddr;
	size_t count;
	struct symbol_frame frames[];
};

static struct cached *entries[CACHE_BUCKETS];
static struct text *texts[CACHE_BUCKETS];
static struct cached *newest, *oldest;
static size_t bytes;

static struct text *text_of(const char *string)
{
	return (struct text *)(uintptr_t)(string - offsetof(struct text, bytes));
}

static const char *text_get(const char *string)
{
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
	size_t len = strlen(string);
	struct text *t;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)string[i]) * 0x100000001b3u;
	hash ^= hash >> 29;
	for (t = texts[hash % CACHE_BUCKETS]; t; t = t->next)
		if (t->hash == hash && t->len == len && !memcmp(t->bytes, string, len))
			break;
	if (!t) {
		t = malloc(sizeof(*t) + len + 1);
		if (!t)
			return NULL;
		*t = (struct text){.next = texts[hash % CACHE_BUCKETS], .len = len, .hash = hash};
		memcpy(t->bytes, string, len + 1);
		texts[hash % CACHE_BUCKETS] = t;
		bytes += sizeof(*t) + len + CACHE_OVERHEAD;
	}
	t->references++;
	return t->bytes;
}

static void text_put(const char *string)
{
	struct text *t = string ? text_of(string) : NULL, **link;

	if (!t || --t->references)
		return;
	for (link = &texts[t->hash % CACHE_BUCKETS]; *link != t;)
		link = &(*link)->next;
	*link = t->next;
	bytes -= sizeof(*t) + t->len + CACHE_OVERHEAD;
	free(t);
}

static struct cached **bucket_of(const void *owner, uint64_t vaddr)
{
	uint64_t hash = (vaddr ^ (uintptr_t)owner) * 0x9e3779b97f4a7c15u;

	return &entries[(hash >> 40) % CACHE_BUCKETS];
}

static void unlink_used(struct cached *e)
{
	*(e->newer ? &e->newer->older : &newest) = e->older;
	*(e->older ? &e->older->newer : &oldest) = e->newer;
}

static void link_newest(struct cached *e)
{
	e->newer = NULL;
	e->older = newest;
	*(newest ? &newest->newer : &oldest) = e;
	newest = e;
}

static size_t size_of(size_t count)
{
	return sizeof(struct cached) + count * sizeof(struct symbol_frame) + CACHE_OVERHEAD;
}

static void put_texts(struct cached *e)
{
	for (size_t i = 0; i < e->count; i++) {
		text_put(e->frames[i].name);
		text_put(e->frames[i].system_name);
		text_put(e->frames[i].file);
	}
}

static void drop(struct cached *e)
{
	struct cached **link = bucket_of(e->owner, e->vaddr);

	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
	unlink_used(e);
	put_texts(e);
	bytes -= size_of(e->count);
	free(e);
}

const struct symbol_frame *symbol_cache_find(const void *owner, uint64_t vaddr, size_t *count)
{
	for (struct cached *e = *bucket_of(owner, vaddr); e; e = e->next) {
		if (e->vaddr != vaddr || e->owner != owner)
			continue;
		unlink_used(e);
		link_newest(e);
		*count = e->count;
		return e->frames;
	}
	return NULL;
}

static bool copy_frames(struct cached *e, const struct symbol_frame *frames, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct symbol_frame *f = &e->frames[e->count++];

		*f = frames[i];
		f->name = text_get(frames[i].name);
		f->system_name = text_get(frames[i].system_name);
		f->file = frames[i].file ? text_get(frames[i].file) : NULL;
		if (!f->name || !f->system_name || (frames[i].file && !f->file))
			return false;
	}
	return true;
}

const struct symbol_frame *symbol_cache_add(const void *owner, uint64_t vaddr,
					    const struct symbol_frame *frames, size_t count)
{
	struct cached *e = calloc(1, size_of(count)), **bucket = bucket_of(owner, vaddr);

	if (!e)
		return NULL;
	if (!copy_frames(e, frames, count)) {
		put_texts(e);
		free(e);
		return NULL;
	}
	e->owner = owner;
	e->vaddr = vaddr;
	e->next = *bucket;
	*bucket = e;
	link_newest(e);
	bytes += size_of(count);
	while (bytes > SYMBOL_CACHE_BYTES && oldest != e)
		drop(oldest);
	return e->frames;
}

void symbol_cache_forget(const void *owner)
{
	for (struct cached *e = newest, *older; e; e = older) {
		older = e->older;
		if (e->owner == owner)
			drop(e);
	}
}

size_t symbol_cache_bytes(void)
{
	return bytes;
}
