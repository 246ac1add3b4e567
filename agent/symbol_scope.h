/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address ranges that lie within each other, as units, functions and what is inlined into them do:
 * which is the innermost at an address, and what is it a part of.
 *
 * AGENT. Only a data structure: it knows no DWARF, and takes any input.
 */
#ifndef SPANPROF_AGENT_SYMBOL_SCOPE_H
#define SPANPROF_AGENT_SYMBOL_SCOPE_H

#include <stddef.h>
#include <stdint.h>

#define SYMBOL_SCOPE_NONE UINT32_MAX
#define SYMBOL_SCOPES_MAX (1u << 20) /* scopes, and ranges, of one table */

/* Something that has ranges. */
struct symbol_scope {
	uint64_t id;	 /* the caller's */
	uint32_t parent; /* or SYMBOL_SCOPE_NONE */
};

struct symbol_scope_range {
	uint64_t start, end;
	uint32_t scope;
	uint32_t enclosing; /* range that starts earlier and goes on beyond */
};

struct symbol_scopes {
	struct symbol_scope *scopes;
	size_t count, room;
	struct symbol_scope_range *ranges;
	size_t range_count, range_room;
};

void symbol_scopes_release(struct symbol_scopes *s);

/* Its index, or SYMBOL_SCOPE_NONE: out of memory, or full. */
uint32_t symbol_scopes_add(struct symbol_scopes *s, uint64_t id, uint32_t parent);
/* 0 or -errno; an empty range is left out. */
int symbol_scopes_add_range(struct symbol_scopes *s, uint32_t scope, uint64_t start, uint64_t end);

/* Once all is added, and before anything is found. */
void symbol_scopes_sort(struct symbol_scopes *s);
/* The innermost scope at an address, or SYMBOL_SCOPE_NONE. */
uint32_t symbol_scopes_find(const struct symbol_scopes *s, uint64_t vaddr);

size_t symbol_scopes_bytes(const struct symbol_scopes *s);

#endif
