/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolved addresses, so that each is looked up once: the least recently used go first.
 *
 * AGENT, one for the process. Strings are shared between entries: a program has far fewer names
 * than addresses.
 */
#ifndef SPANPROF_AGENT_SYMBOL_CACHE_H
#define SPANPROF_AGENT_SYMBOL_CACHE_H

#include "agent/symbol.h"

#define SYMBOL_CACHE_BYTES (16u << 20) /* a quarter of SYMBOL_BUDGET_BYTES */

/* The frames of an address, valid until the next call of symbol_cache_add; NULL: not known. */
const struct symbol_frame *symbol_cache_find(const void *owner, uint64_t vaddr, size_t *count);

/* Copies the frames' strings; for an address that is not there yet. NULL: out of memory. */
const struct symbol_frame *symbol_cache_add(const void *owner, uint64_t vaddr,
					    const struct symbol_frame *frames, size_t count);

/* All of owner's entries. */
void symbol_cache_forget(const void *owner);

size_t symbol_cache_bytes(void);

#endif
