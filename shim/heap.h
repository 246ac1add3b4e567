/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.h - a heap inside one block of memory: what a third-party decoder gets instead of the host's
 * malloc, so that what a connection may cost is a number and dropping it is dropping the block.
 * Context: APP. No lock, no libc state; the caller serialises calls on one heap.
 */
#ifndef SPANPROF_SHIM_HEAP_H
#define SPANPROF_SHIM_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define HEAP_ALIGN 16

/* Offsets are from the heap's own address; 0 is none. */
struct heap {
	uint32_t size;
	uint32_t top;	    /* what lies above was never used, or is free again */
	uint32_t below_top; /* size of the block that ends there */
	uint32_t free;	    /* first of the free blocks below top */
};

/* Lay an empty heap over size bytes at memory, aligned to HEAP_ALIGN. */
struct heap *heap_init(void *memory, uint32_t size);
/* n bytes aligned to HEAP_ALIGN, or NULL: there is no room. */
void *heap_alloc(struct heap *heap, size_t n);
/* memory came from heap_alloc(), or is NULL. */
void heap_free(struct heap *heap, void *memory);

#endif
