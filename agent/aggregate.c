/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggregate.c - an open-addressing hash table over an array of entries. AGENT. Stacks and names are
 * interned first, so that an entry is small and two of them are compared by numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/aggregate.h"
#include "agent/spans.h"

#define AGGREGATE_FIRST 1024 /* slots of a fresh table; a power of two */

struct aggregate {
	uint64_t start_unix_ns;
	struct aggregate_options options;
	struct entry *entries;
	size_t count, room;
	uint32_t *slots; /* entry index + 1; 0: free */
	size_t slot_count;
	struct stacks stacks;
	struct stack *frameless; /* what stacks that find no room are counted under */
	struct names names;
	struct spans spans;
	struct aggregate_folded folded;
};

_Static_assert(sizeof(struct entry_labels) == 32, "labels have no padding");

static uint32_t hash_key(const struct stack *stack, const struct entry_labels *labels)
{
	uint64_t hash = stack->hash, word;

	for (size_t i = 0; i < sizeof(*labels); i += sizeof(word)) {
		memcpy(&word, (const uint8_t *)labels + i, sizeof(word));
		hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

struct aggregate *aggregate_new(uint64_t start_unix_ns, const struct aggregate_options *options)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->start_unix_ns = start_unix_ns;
	a->options = *options;
	a->slot_count = AGGREGATE_FIRST;
	a->slots = calloc(a->slot_count, sizeof(*a->slots));
	a->frameless = stack_new(&(struct frame){0}, 0, true);
	spans_init(&a->spans, options->spans_max);
	if (!a->slots || !a->frameless) {
		aggregate_free(a);
		return NULL;
	}
	return a;
}

void aggregate_free(struct aggregate *a)
{
	if (!a)
		return;
	spans_release(&a->spans);
	names_release(&a->names);
	stacks_release(&a->stacks);
	stack_put(a->frameless);
	free(a->entries);
	free(a->slots);
	free(a);
}

static uint32_t *find_slot(uint32_t *slots, size_t slot_count, const struct entry *entries,
			   const struct stack *stack, const struct entry_labels *labels)
{
	size_t i = hash_key(stack, labels) & (slot_count - 1);

	while (slots[i]) {
		const struct entry *e = &entries[slots[i] - 1];

		if (e->stack == stack && memcmp(&e->labels, labels, sizeof(*labels)) == 0)
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
		*find_slot(slots, slot_count, entries, entries[i].stack, &entries[i].labels) =
			(uint32_t)i + 1;
	free(a->slots);
	a->slots = slots;
	a->slot_count = slot_count;
	a->room = room;
	return true;
}

/* NULL: it is not there, and there are as many as may be. */
static struct entry *find_entry(struct aggregate *a, struct stack *stack,
				const struct entry_labels *labels, size_t entries_max)
{
	uint32_t *slot = find_slot(a->slots, a->slot_count, a->entries, stack, labels);

	if (*slot)
		return &a->entries[*slot - 1];
	if (a->count >= entries_max || !make_room(a))
		return NULL;
	slot = find_slot(a->slots, a->slot_count, a->entries, stack, labels);
	a->entries[a->count] = (struct entry){.stack = stack, .labels = *labels};
	*slot = (uint32_t)++a->count;
	return &a->entries[a->count - 1];
}

/* The number of the request's name, 0 if it has none. */
static uint32_t name_of(struct aggregate *a, const struct feed_context *context, uint64_t weight,
			uint64_t nanoseconds)
{
	struct route route;
	uint32_t number;

	if (a->options.names == FEED_NAMES_OFF ||
	    !(context->flags & (FEED_CONTEXT_REQUEST | FEED_CONTEXT_IDS)))
		return 0;
	route_name(&route, context->method, context->target);
	if (!*route.name)
		return 0;
	if (a->options.names == FEED_NAMES_METHOD)
		route = names_method(&route);
	/* Those that are series already have room however many paths were invented before them. */
	if (names_has_path(&route) && names_full(&a->names) && !names_find(&a->names, &route) &&
	    !(a->options.series && series_has(a->options.series, &route))) {
		route = names_method(&route);
		a->folded.names += weight;
	}
	number = names_put(&a->names, &route);
	if (number) {
		names_at(&a->names, number)->nanoseconds += nanoseconds;
		names_at(&a->names, number)->samples++;
	}
	return number;
}

static void ids_of(struct aggregate *a, const struct feed_context *context, uint64_t weight,
		   struct entry_labels *labels)
{
	if (!(context->flags & FEED_CONTEXT_IDS))
		return;
	memcpy(labels->trace_id, context->trace_id, sizeof(labels->trace_id));
	if (spans_admit(&a->spans, context))
		memcpy(labels->span_id, context->span_id, sizeof(labels->span_id));
	else
		a->folded.spans += weight;
}

/* With as many of its labels as there is room for. */
static struct entry *fitting_entry(struct aggregate *a, struct stack *stack,
				   struct entry_labels *labels, uint64_t weight)
{
	static const uint8_t no_id[16];
	struct entry *e = find_entry(a, stack, labels, AGGREGATE_ENTRIES_MAX);

	if (!e && memcmp(labels->trace_id, no_id, sizeof(no_id)) != 0) {
		memset(labels->trace_id, 0, sizeof(labels->trace_id));
		memset(labels->span_id, 0, sizeof(labels->span_id));
		a->folded.ids += weight;
	}
	if (!e)
		e = find_entry(a, stack, labels, AGGREGATE_ENTRIES_MAX * 3 / 2);
	if (!e && labels->name) {
		labels->name = 0;
		a->folded.names += weight;
	}
	if (!e)
		e = find_entry(a, stack, labels, 2 * AGGREGATE_ENTRIES_MAX);
	return e;
}

void aggregate_add(struct aggregate *a, struct stack *stack, const struct feed_context *context,
		   uint64_t weight, uint64_t nanoseconds)
{
	struct entry_labels labels = {0};
	struct stack *known = stacks_intern(&a->stacks, stack, AGGREGATE_STACK_BYTES);
	struct entry *e;

	if (!known) {
		known = a->frameless;
		a->folded.stacks += weight;
	}
	ids_of(a, context, weight, &labels);
	labels.name = name_of(a, context, weight, nanoseconds);
	e = fitting_entry(a, known, &labels, weight);
	if (!e) {
		a->folded.samples += weight;
		return;
	}
	e->weight += weight;
	e->nanoseconds += nanoseconds;
}

void aggregate_choose_names(struct aggregate *a, struct series *series, uint64_t unix_ns)
{
	size_t count = a->count;

	if (series_choose(series, &a->names, unix_ns) == 0)
		return;
	memset(a->slots, 0, a->slot_count * sizeof(*a->slots));
	a->count = 0;
	for (size_t i = 0; i < count; i++) {
		struct entry e = a->entries[i];
		uint32_t *slot, shown = e.labels.name ? names_at(&a->names, e.labels.name)->shown : 0;

		if (shown != e.labels.name)
			a->folded.names += e.weight;
		e.labels.name = shown;
		slot = find_slot(a->slots, a->slot_count, a->entries, e.stack, &e.labels);
		if (!*slot) {
			a->entries[a->count++] = e;
			*slot = (uint32_t)a->count;
			continue;
		}
		a->entries[*slot - 1].weight += e.weight;
		a->entries[*slot - 1].nanoseconds += e.nanoseconds;
	}
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

const char *aggregate_name(const struct aggregate *a, const struct entry *e)
{
	return e->labels.name ? names_at(&a->names, e->labels.name)->route.name : NULL;
}

const struct aggregate_folded *aggregate_folded(const struct aggregate *a)
{
	return &a->folded;
}
