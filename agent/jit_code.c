/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jit_code.c - the ranges as a treap, ordered by start. AGENT. A tree and not a sorted array,
 * because a running program tells of a few functions at a time for as long as it runs; with random
 * priorities, because it also chooses the addresses and could degrade any other cheap balance.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/jit_code.h"

#define JIT_CODE_FIRST 1024 /* entries of a fresh table */

void jit_code_release(struct jit_code *c)
{
	free(c->entries);
	*c = (struct jit_code){0};
}

static uint32_t next_random(struct jit_code *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 17;
	c->random ^= c->random << 5;
	return c->random;
}

/* Room for what one addition may make: itself, and the far end of a range that it cuts in two. */
static int make_room(struct jit_code *c)
{
	uint32_t room = c->room ? 2 * c->room : JIT_CODE_FIRST;
	struct jit_entry *entries;

	/* Index 0 is nobody's. */
	if (c->count + 3 > JIT_CODE_MAX)
		return -ENOSPC;
	if (c->count + 3 <= c->room)
		return 0;
	entries = realloc(c->entries, room * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	c->entries = entries;
	c->room = room;
	if (!c->used) {
		c->used = 1;
		memset(&entries[0], 0, sizeof(entries[0]));
		if (getrandom(&c->random, sizeof(c->random), GRND_NONBLOCK) < 0 || !c->random)
			c->random = 0x9e3779b9;
	}
	return 0;
}

static uint32_t take(struct jit_code *c, const struct jit_entry *like)
{
	uint32_t i = c->free ? c->free : c->used++;

	if (i == c->free)
		c->free = c->entries[i].left;
	c->entries[i] = *like;
	c->entries[i].left = c->entries[i].right = 0;
	c->entries[i].priority = next_random(c);
	c->count++;
	return i;
}

static void drop(struct jit_code *c, uint32_t tree)
{
	if (!tree)
		return;
	drop(c, c->entries[tree].left);
	drop(c, c->entries[tree].right);
	c->entries[tree].left = c->free;
	c->free = tree;
	c->count--;
}

/* What starts before at, and the rest. */
static void split(struct jit_code *c, uint32_t tree, uint64_t at, uint32_t *before, uint32_t *rest)
{
	struct jit_entry *e = &c->entries[tree];

	if (!tree) {
		*before = *rest = 0;
	} else if (e->start < at) {
		*before = tree;
		split(c, e->right, at, &e->right, rest);
	} else {
		*rest = tree;
		split(c, e->left, at, before, &e->left);
	}
}

/* All of a lies below all of b. */
static uint32_t join(struct jit_code *c, uint32_t a, uint32_t b)
{
	if (!a || !b)
		return a ? a : b;
	if (c->entries[a].priority > c->entries[b].priority) {
		c->entries[a].right = join(c, c->entries[a].right, b);
		return a;
	}
	c->entries[b].left = join(c, a, c->entries[b].left);
	return b;
}

static struct jit_entry *last(struct jit_code *c, uint32_t tree)
{
	while (tree && c->entries[tree].right)
		tree = c->entries[tree].right;
	return tree ? &c->entries[tree] : NULL;
}

/* The part of the tree's last range that lies above end, as an entry of its own; 0: there is none.
 */
static uint32_t far_end(struct jit_code *c, uint32_t tree, uint64_t end)
{
	struct jit_entry *e = last(c, tree), part;

	if (!e || e->end <= end)
		return 0;
	part = *e;
	part.start = end;
	return take(c, &part);
}

int jit_code_add(struct jit_code *c, const struct jit_entry *entry)
{
	uint32_t below, covered, above, part;
	struct jit_entry *e;
	int error;

	if (entry->start >= entry->end || entry->length > JIT_TEXT_MAX)
		return -EINVAL;
	error = make_room(c);
	if (error) {
		c->dropped++;
		return error;
	}
	split(c, c->root, entry->start, &below, &covered);
	split(c, covered, entry->end, &covered, &above);
	/* Ranges are disjoint: only the last of either can reach over the end, and not both. */
	part = far_end(c, covered ? covered : below, entry->end);
	e = last(c, below);
	if (e && e->end > entry->start)
		e->end = entry->start;
	drop(c, covered);
	below = join(c, below, take(c, entry));
	c->root = join(c, join(c, below, part), above);
	return 0;
}

struct jit_entry *jit_code_find(const struct jit_code *c, uint64_t pc)
{
	uint32_t tree = c->root, found = 0;

	while (tree) {
		if (c->entries[tree].start <= pc) {
			found = tree;
			tree = c->entries[tree].right;
		} else {
			tree = c->entries[tree].left;
		}
	}
	return found && pc < c->entries[found].end ? &c->entries[found] : NULL;
}
