/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges sorted so that one binary search and a short walk outwards find the innermost.
 *
 * AGENT: called by symbol_dwarf.c, whose input is hostile: ranges may overlap in any way, which
 * only makes the answer arbitrary.
 */
#include "agent/symbol_scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE_NEST_MAX 128 /* ranges followed outwards in one lookup */
#define SCOPE_ROOM_FIRST 64

void symbol_scopes_release(struct symbol_scopes *s)
{
	free(s->scopes);
	free(s->ranges);
	memset(s, 0, sizeof(*s));
}

/* Room for one more of size bytes each. */
static int grow(void **array, size_t count, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : SCOPE_ROOM_FIRST;
	void *bigger;

	if (count < *room)
		return 0;
	if (count >= SYMBOL_SCOPES_MAX)
		return -EFBIG;
	bigger = realloc(*array, more * size);
	if (!bigger)
		return -ENOMEM;
	*array = bigger;
	*room = more;
	return 0;
}

uint32_t symbol_scopes_add(struct symbol_scopes *s, uint64_t id, uint32_t parent)
{
	void *scopes = s->scopes;

	if (grow(&scopes, s->count, &s->room, sizeof(*s->scopes)))
		return SYMBOL_SCOPE_NONE;
	s->scopes = scopes;
	s->scopes[s->count] = (struct symbol_scope){.id = id, .parent = parent};
	return (uint32_t)s->count++;
}

int symbol_scopes_add_range(struct symbol_scopes *s, uint32_t scope, uint64_t start, uint64_t end)
{
	void *ranges = s->ranges;
	int err;

	if (start >= end)
		return 0;
	err = grow(&ranges, s->range_count, &s->range_room, sizeof(*s->ranges));
	if (err)
		return err;
	s->ranges = ranges;
	s->ranges[s->range_count++] =
	    (struct symbol_scope_range){.start = start, .end = end, .scope = scope};
	return 0;
}

/* By start; the wider first, and of equal ones the one added first, which is the outer one. */
static int by_start(const void *pa, const void *pb)
{
	const struct symbol_scope_range *a = pa, *b = pb;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->end != b->end)
		return a->end > b->end ? -1 : 1;
	return (a->scope > b->scope) - (a->scope < b->scope);
}

void symbol_scopes_sort(struct symbol_scopes *s)
{
	uint32_t open = SYMBOL_SCOPE_NONE;

	if (s->range_count)
		qsort(s->ranges, s->range_count, sizeof(*s->ranges), by_start);
	for (size_t i = 0; i < s->range_count; i++) {
		while (open != SYMBOL_SCOPE_NONE && s->ranges[open].end <= s->ranges[i].start)
			open = s->ranges[open].enclosing;
		s->ranges[i].enclosing = open;
		open = (uint32_t)i;
	}
}

uint32_t symbol_scopes_find(const struct symbol_scopes *s, uint64_t vaddr)
{
	size_t lo = 0, hi = s->range_count;
	uint32_t at;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->ranges[mid].start <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	at = lo ? (uint32_t)(lo - 1) : SYMBOL_SCOPE_NONE;
	for (int i = 0; i < SCOPE_NEST_MAX && at != SYMBOL_SCOPE_NONE; i++) {
		if (vaddr < s->ranges[at].end)
			return s->ranges[at].scope;
		at = s->ranges[at].enclosing;
	}
	return SYMBOL_SCOPE_NONE;
}

size_t symbol_scopes_bytes(const struct symbol_scopes *s)
{
	return s->room * sizeof(*s->scopes) + s->range_room * sizeof(*s->ranges);
}
