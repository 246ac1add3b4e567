/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_pool.c - blocks for HTTP/2 connections. Lock-free: a word of bits for each mapping says
 * which of its blocks are taken. Mappings stay; a fork child has copies of them. Context: APP.
 */
#include "shim/http2_pool.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "shim/raw.h"

#define LEAF 16 /* blocks of a mapping */
#define LEAVES (HTTP2_CONNECTIONS_MAX / LEAF)
#define LEAF_SIZE ((size_t)LEAF * HTTP2_BYTES_EACH)
#define ALL_TAKEN ((1u << LEAF) - 1)

struct leaf {
	_Atomic(char *)
	    blocks; /* mapped at first use. Writers: cmpxchg, release; readers: acquire */
	/* Bit set: taken. Set by cmpxchg (acquire), cleared by who closes (release). */
	_Atomic uint32_t taken;
};

static struct leaf leaves[LEAVES];

static char *blocks_of(struct leaf *leaf)
{
	char *blocks = atomic_load_explicit(&leaf->blocks, memory_order_acquire);
	long made;

	if (blocks)
		return blocks;
	made = raw6(SYS_mmap, NULL, LEAF_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (made < 0 && made > -4096)
		return NULL;
	/* A connection touches a few pages of its block; a huge page would back them all. */
	raw3(SYS_madvise, made, LEAF_SIZE, MADV_NOHUGEPAGE);
	if (atomic_compare_exchange_strong_explicit(&leaf->blocks, &blocks, (char *)made,
						    memory_order_release, memory_order_acquire))
		return (char *)made;
	raw2(SYS_munmap, made, LEAF_SIZE);
	return blocks;
}

void *http2_pool_get(void)
{
	for (struct leaf *leaf = leaves; leaf < leaves + LEAVES; leaf++) {
		uint32_t taken = atomic_load_explicit(&leaf->taken, memory_order_relaxed);
		char *blocks = taken == ALL_TAKEN ? NULL : blocks_of(leaf);

		while (taken != ALL_TAKEN) {
			uint32_t bit = (uint32_t)__builtin_ctz(~taken);

			if (!blocks)
				return NULL; /* no memory: the next leaf would have none either */
			if (atomic_compare_exchange_weak_explicit(
				&leaf->taken, &taken, taken | 1u << bit, memory_order_acquire,
				memory_order_relaxed))
				return blocks + (size_t)bit * HTTP2_BYTES_EACH;
		}
	}
	return NULL;
}

void http2_pool_put(void *block)
{
	uintptr_t at = (uintptr_t)block;

	for (struct leaf *leaf = leaves; leaf < leaves + LEAVES; leaf++) {
		uintptr_t base =
		    (uintptr_t)atomic_load_explicit(&leaf->blocks, memory_order_acquire);

		if (!base || at < base || at - base >= LEAF_SIZE)
			continue;
		/* Before the bit is cleared: afterwards the block is another's. */
		raw3(SYS_madvise, block, HTTP2_BYTES_EACH, MADV_DONTNEED);
		atomic_fetch_and_explicit(&leaf->taken, ~(1u << (at - base) / HTTP2_BYTES_EACH),
					  memory_order_release);
		return;
	}
}
