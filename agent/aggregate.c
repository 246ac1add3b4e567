/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggregate.c - an open-addressing hash table over an array of entries. AGENT. Stacks are compared by
 * content, so that the same code reached in two processes at two addresses is one entry.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/aggregate.h"

#define AGGREGATE_FIRST 1024 /* slots of a fresh table; a power of two */

struct aggregate {
	uint64_t start_unix_ns;
	struct entry *entries;
	size_t count, room;
	uint32_t *slots; /* entry index + 1; 0: free */
	size_t slot_count;
	uint64_t folded, lost;
};

static uint32_t hash_bytes(uint32_t hash, const void *bytes, size_t n)
{
	const unsigned char *b = bytes;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ b[i]) * 0x01000193U;
	return hash;
}

static uint32_t hash_frames(const struct frame *frames, size_t count)
{
	uint64_t hash = 0x9e3779b97f4a7c15ULL ^ count;

	for (size_t i = 0; i < count; i++) {
		hash ^= (uintptr_t)frames[i].module >> 4;
		hash = (hash ^ frames[i].vaddr ^ frames[i].exact) * 0xff51afd7ed558ccdULL;
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

struct stack *stack_new(const struct frame *frames, size_t count, bool truncated)
{
	struct stack *s = malloc(sizeof(*s) + count * sizeof(*frames));

	if (!s)
		return NULL;
	s->references = 1;
	s->count = (uint32_t)count;
	s->truncated = truncated;
	memcpy(s->frames, frames, count * sizeof(*frames));
	s->hash = hash_frames(frames, count) ^ truncated;
	return s;
}

void stack_put(struct stack *stack)
{
	if (stack && --stack->references == 0)
		free(stack);
}

static bool same_stack(const struct stack *a, const struct stack *b)
{
	if (a == b)
		return true;
	if (a->hash != b->hash || a->count != b->count || a->truncated != b->truncated)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (a->frames[i].module != b->frames[i].module ||
		    a->frames[i].vaddr != b->frames[i].vaddr ||
		    a->frames[i].exact != b->frames[i].exact)
			return false;
	return true;
}

static bool same_context(const struct feed_context *a, const struct feed_context *b)
{
	return a->flags == b->flags && memcmp(a->trace_id, b->trace_id, sizeof(a->trace_id)) == 0 &&
	       memcmp(a->span_id, b->span_id, sizeof(a->span_id)) == 0;
}

static uint32_t hash_key(const struct stack *stack, const struct feed_context *context)
{
	uint32_t hash = hash_bytes(stack->hash, context->trace_id, sizeof(context->trace_id));

	return hash_bytes(hash, context->span_id, sizeof(context->span_id)) ^ context->flags;
}

struct aggregate *aggregate_new(uint64_t start_unix_ns)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->start_unix_ns = start_unix_ns;
	a->slot_count = AGGREGATE_FIRST;
	a->slots = calloc(a->slot_count, sizeof(*a->slots));
	if (!a->slots) {
		free(a);
		return NULL;
	}
	return a;
}

void aggregate_free(struct aggregate *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->count; i++)
		stack_put(a->entries[i].stack);
	free(a->entries);
	free(a->slots);
	free(a);
}

static uint32_t *find_slot(uint32_t *slots, size_t slot_count, const struct entry *entries,
			   const struct stack *stack, const struct feed_context *context)
{
	size_t i = hash_key(stack, context) & (slot_count - 1);

	while (slots[i]) {
		const struct entry *e = &entries[slots[i] - 1];

		if (same_context(&e->context, context) && same_stack(e->stack, stack))
			break;
		i = (i + 1) & (slot_count - 1);
	}
	return &slots[i];
}

/* Half full at most. */
static bool make_room(struct aggregate *a)
{
	size_t slot_count = a->slot_count, room = a->room ? a->room * 2 : AGGREGATE_FIRST / 2;
	struct entry *entries;
	uint32_t *slots;

	if (a->count < a->room)
		return true;
	entries = realloc(a->entries, room * sizeof(*entries));
	if (!entries)
		return false;
	a->entries = entries;
	while (slot_count < 2 * room)
		slot_count *= 2;
	slots = calloc(slot_count, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < a->count; i++)
		*find_slot(slots, slot_count, entries, entries[i].stack, &entries[i].context) =
			(uint32_t)i + 1;
	free(a->slots);
	a->slots = slots;
	a->slot_count = slot_count;
	a->room = room;
	return true;
}

static struct entry *find_entry(struct aggregate *a, struct stack *stack,
				const struct feed_context *context)
{
	uint32_t *slot = find_slot(a->slots, a->slot_count, a->entries, stack, context);

	if (*slot)
		return &a->entries[*slot - 1];
	/* Twice: what is folded for want of room still needs some. */
	if (a->count >= 2 * AGGREGATE_ENTRIES_MAX || !make_room(a))
		return NULL;
	slot = find_slot(a->slots, a->slot_count, a->entries, stack, context);
	a->entries[a->count] = (struct entry){.stack = stack, .context = *context};
	stack->references++;
	*slot = (uint32_t)++a->count;
	return &a->entries[a->count - 1];
}

void aggregate_add(struct aggregate *a, struct stack *stack, const struct feed_context *context,
		   uint64_t weight, uint64_t nanoseconds)
{
	struct feed_context key = {0};
	struct entry *e;

	if (context->flags & FEED_CONTEXT_IDS) {
		key = *context;
		key.flags = FEED_CONTEXT_IDS;
		key.request = 0;
		if (a->count >= AGGREGATE_ENTRIES_MAX &&
		    !*find_slot(a->slots, a->slot_count, a->entries, stack, &key)) {
			memset(&key, 0, sizeof(key));
			a->folded += weight;
		}
	}
	e = find_entry(a, stack, &key);
	if (!e) {
		a->lost += weight;
		return;
	}
	e->weight += weight;
	e->nanoseconds += nanoseconds;
}

uint64_t aggregate_start(const struct aggregate *a)
{
	return a->start_unix_ns;
}

size_t aggregate_count(const struct aggregate *a)
{
	return a->count;
}

const struct entry *aggregate_entry(const struct aggregate *a, size_t i)
{
	return &a->entries[i];
}

uint64_t aggregate_folded(const struct aggregate *a)
{
	return a->folded;
}

uint64_t aggregate_lost(const struct aggregate *a)
{
	return a->lost;
}
