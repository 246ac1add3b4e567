/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spans.c - an open-addressing set over pairs of trace and span. AGENT. First come, first kept: the spans
 * of an interval are all as good as each other.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/spans.h"

#define SPANS_FIRST 256 /* slots of a fresh set; a power of two */

static const struct span_key none;

static size_t hash_of(const struct span_key *key)
{
	uint64_t hash = 0x9e3779b97f4a7c15ULL, word;

	for (size_t i = 0; i < sizeof(*key); i += sizeof(word)) {
		memcpy(&word, (const uint8_t *)key + i, sizeof(word));
		hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
		hash ^= hash >> 32;
	}
	return (size_t)hash;
}

static struct span_key *find_slot(struct span_key *slots, size_t slot_count,
				  const struct span_key *key)
{
	size_t i = hash_of(key) & (slot_count - 1);

	while (memcmp(&slots[i], &none, sizeof(none)) != 0 &&
	       memcmp(&slots[i], key, sizeof(*key)) != 0)
		i = (i + 1) & (slot_count - 1);
	return &slots[i];
}

/* Half full at most. */
static bool make_room(struct spans *s)
{
	size_t slot_count = s->slot_count ? 2 * s->slot_count : SPANS_FIRST;
	struct span_key *slots;

	if (2 * s->count < s->slot_count)
		return true;
	slots = calloc(slot_count, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < s->slot_count; i++)
		if (memcmp(&s->slots[i], &none, sizeof(none)) != 0)
			*find_slot(slots, slot_count, &s->slots[i]) = s->slots[i];
	free(s->slots);
	s->slots = slots;
	s->slot_count = slot_count;
	return true;
}

void spans_init(struct spans *s, size_t max)
{
	*s = (struct spans){.max = max};
}

void spans_release(struct spans *s)
{
	free(s->slots);
	spans_init(s, s->max);
}

bool spans_admit(struct spans *s, const struct feed_context *context)
{
	struct span_key key, *slot;

	memcpy(key.trace_id, context->trace_id, sizeof(key.trace_id));
	memcpy(key.span_id, context->span_id, sizeof(key.span_id));
	if (!make_room(s))
		return false;
	slot = find_slot(s->slots, s->slot_count, &key);
	if (memcmp(slot, &key, sizeof(key)) == 0)
		return true;
	if (s->count >= s->max)
		return false;
	*slot = key;
	s->count++;
	return true;
}
