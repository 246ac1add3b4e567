/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c - an open-addressing hash table over an array of names. AGENT.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/names.h"

#define NAMES_FIRST 64 /* a power of two; there are twice as many slots */

static size_t hash_of(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ULL;
	return (size_t)(hash ^ (hash >> 32));
}

static uint32_t *find_slot(uint32_t *slots, size_t slot_count, const struct name *items,
			   const char *name)
{
	size_t i = hash_of(name) & (slot_count - 1);

	while (slots[i] && strcmp(items[slots[i] - 1].route.name, name) != 0)
		i = (i + 1) & (slot_count - 1);
	return &slots[i];
}

static bool make_room(struct names *n)
{
	uint32_t room = n->room ? 2 * n->room : NAMES_FIRST;
	struct name *items;
	uint32_t *slots;

	if (n->count < n->room)
		return true;
	items = realloc(n->items, room * sizeof(*items));
	if (!items)
		return false;
	n->items = items;
	slots = calloc(2 * (size_t)room, sizeof(*slots));
	if (!slots)
		return false;
	for (uint32_t i = 0; i < n->count; i++)
		*find_slot(slots, 2 * (size_t)room, items, items[i].route.name) = i + 1;
	free(n->slots);
	n->slots = slots;
	n->slot_count = 2 * (size_t)room;
	n->room = room;
	return true;
}

void names_release(struct names *n)
{
	free(n->items);
	free(n->slots);
	memset(n, 0, sizeof(*n));
}

uint32_t names_find(const struct names *n, const struct route *route)
{
	return n->count ? *find_slot(n->slots, n->slot_count, n->items, route->name) : 0;
}

uint32_t names_put(struct names *n, const struct route *route)
{
	uint32_t *slot;

	if (!make_room(n))
		return 0;
	slot = find_slot(n->slots, n->slot_count, n->items, route->name);
	if (*slot)
		return *slot;
	n->items[n->count] = (struct name){.route = *route, .shown = n->count + 1};
	n->count++;
	n->paths += names_has_path(route);
	*slot = n->count;
	return *slot;
}

struct name *names_at(const struct names *n, uint32_t number)
{
	return &n->items[number - 1];
}

bool names_full(const struct names *n)
{
	return n->paths >= NAMES_MAX;
}

struct route names_method(const struct route *route)
{
	struct route method = *route;

	method.name[method.method] = '\0';
	return method;
}

bool names_has_path(const struct route *route)
{
	return route->name[route->method] != '\0';
}
