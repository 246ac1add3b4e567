/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.c - a heap in one block. Free neighbours are merged at once, and what was freed last is used
 * first, so that a small working set touches few pages of a block that is mapped but not yet
 * backed. Context: APP; called by the decoder of hpack.c only.
 */
#include "shim/heap.h"

#define USED 1u

/* Before every block; its bytes follow. Sizes count this header and are multiples of HEAP_ALIGN. */
struct block {
	uint32_t size;	 /* | USED */
	uint32_t before; /* size of the block that ends here; 0: this is the first */
};

/* In a free block's bytes. */
struct links {
	uint32_t next, previous;
};

#define FIRST (uint32_t)(sizeof(struct heap) + HEAP_ALIGN - sizeof(struct block))
_Static_assert(sizeof(struct heap) % HEAP_ALIGN == 0, "the first block's bytes are aligned");
_Static_assert(sizeof(struct block) + sizeof(struct links) <= HEAP_ALIGN,
	       "the least block has room");

static struct block *block_at(struct heap *heap, uint32_t at)
{
	return (struct block *)((char *)heap + at);
}

static uint32_t offset_of(const struct heap *heap, const struct block *b)
{
	return (uint32_t)((const char *)b - (const char *)heap);
}

static struct links *links_of(struct block *b)
{
	return (struct links *)(b + 1);
}

static void list(struct heap *heap, struct block *b)
{
	struct links *links = links_of(b);

	links->previous = 0;
	links->next = heap->free;
	if (heap->free)
		links_of(block_at(heap, heap->free))->previous = offset_of(heap, b);
	heap->free = offset_of(heap, b);
}

static void unlist(struct heap *heap, struct block *b)
{
	struct links *links = links_of(b);

	if (links->next)
		links_of(block_at(heap, links->next))->previous = links->previous;
	if (links->previous)
		links_of(block_at(heap, links->previous))->next = links->next;
	else
		heap->free = links->next;
}

/* The block behind b, or the top, learns b's size. */
static void tell_next(struct heap *heap, const struct block *b, uint32_t size)
{
	uint32_t next = offset_of(heap, b) + size;

	if (next == heap->top)
		heap->below_top = size;
	else
		block_at(heap, next)->before = size;
}

struct heap *heap_init(void *memory, uint32_t size)
{
	struct heap *heap = memory;

	heap->size = size;
	heap->top = FIRST;
	heap->below_top = heap->free = 0;
	return heap;
}

static void *from_top(struct heap *heap, uint32_t need)
{
	struct block *b = block_at(heap, heap->top);

	if (need > heap->size - heap->top)
		return NULL;
	b->size = need | USED;
	b->before = heap->below_top;
	heap->top += need;
	heap->below_top = need;
	return b + 1;
}

void *heap_alloc(struct heap *heap, size_t n)
{
	uint32_t need, rest;
	struct block *b;

	if (n > heap->size)
		return NULL;
	need = (uint32_t)((n + sizeof(*b) + HEAP_ALIGN - 1) & ~(size_t)(HEAP_ALIGN - 1));
	for (uint32_t at = heap->free; at; at = links_of(b)->next) {
		b = block_at(heap, at);
		if (b->size < need)
			continue;
		unlist(heap, b);
		rest = b->size - need;
		b->size = need | USED;
		if (rest) {
			struct block *more = block_at(heap, at + need);

			more->size = rest;
			more->before = need;
			tell_next(heap, more, rest);
			list(heap, more);
		}
		return b + 1;
	}
	return from_top(heap, need);
}

void heap_free(struct heap *heap, void *memory)
{
	struct block *b = memory, *next;

	if (!memory)
		return;
	b--;
	b->size &= ~USED;
	next = block_at(heap, offset_of(heap, b) + b->size);
	if (offset_of(heap, next) < heap->top && !(next->size & USED)) {
		unlist(heap, next);
		b->size += next->size;
	}
	if (b->before) {
		struct block *previous = block_at(heap, offset_of(heap, b) - b->before);

		if (!(previous->size & USED)) {
			unlist(heap, previous);
			previous->size += b->size;
			b = previous;
		}
	}
	if (offset_of(heap, b) + b->size == heap->top) {
		heap->top = offset_of(heap, b);
		heap->below_top = b->before;
		return;
	}
	tell_next(heap, b, b->size);
	list(heap, b);
}
