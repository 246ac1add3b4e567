/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack.c - stacks, and an open-addressing set of them. AGENT. They are compared by content, so that the
 * same code reached in two processes at two addresses is one stack, and kept once however many spans
 * were seen in it.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/stack.h"

#define STACKS_FIRST 256 /* slots of a fresh set; a power of two */

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

size_t stack_bytes(const struct stack *stack)
{
	return sizeof(*stack) + stack->count * sizeof(stack->frames[0]);
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

static struct stack **find_slot(struct stack **slots, size_t slot_count, const struct stack *stack)
{
	size_t i = stack->hash & (slot_count - 1);

	while (slots[i] && !same_stack(slots[i], stack))
		i = (i + 1) & (slot_count - 1);
	return &slots[i];
}

/* Half full at most. */
static bool make_room(struct stacks *s)
{
	size_t slot_count = s->slot_count ? 2 * s->slot_count : STACKS_FIRST;
	struct stack **slots;

	if (2 * s->count < s->slot_count)
		return true;
	slots = calloc(slot_count, sizeof(struct stack *));
	if (!slots)
		return false;
	for (size_t i = 0; i < s->slot_count; i++)
		if (s->slots[i])
			*find_slot(slots, slot_count, s->slots[i]) = s->slots[i];
	free(s->slots);
	s->slots = slots;
	s->slot_count = slot_count;
	return true;
}

struct stack *stacks_intern(struct stacks *s, struct stack *stack, size_t bytes_max)
{
	struct stack **slot;

	if (!make_room(s))
		return NULL;
	slot = find_slot(s->slots, s->slot_count, stack);
	if (*slot)
		return *slot;
	if (s->bytes + stack_bytes(stack) > bytes_max)
		return NULL;
	stack->references++;
	s->bytes += stack_bytes(stack);
	s->count++;
	*slot = stack;
	return stack;
}

void stacks_release(struct stacks *s)
{
	for (size_t i = 0; i < s->slot_count; i++)
		stack_put(s->slots[i]);
	free(s->slots);
	memset(s, 0, sizeof(*s));
}
