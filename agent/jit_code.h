/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jit_code.h - which code a process has made at run time, and where: disjoint ranges of addresses,
 * each with the place of its name in the file that told of it. Context: AGENT. The latest word on
 * an address counts, since code moves and its memory is used again. Names stay in their files until
 * a sample needs one: of a hundred thousand functions a profile shows a few hundred.
 */
#ifndef SPANPROF_AGENT_JIT_CODE_H
#define SPANPROF_AGENT_JIT_CODE_H

#include <stddef.h>
#include <stdint.h>

#define JIT_CODE_MAX (1u << 20) /* ranges of one process */
#define JIT_TEXT_MAX 1024	/* bytes of a name or a file's name that are looked at */

struct jit_entry {
	uint64_t start, end;
	uint64_t text;	 /* offset of the name in its file */
	uint64_t debug;	 /* offset of the first entry of its debug information; 0: none */
	uint32_t length; /* of the name; at most JIT_TEXT_MAX */
	uint32_t name;	 /* what jit.c found it to be; 0: not yet asked */
	uint32_t source; /* which file */
	/* Private: a treap, in indices; 0 is nobody. */
	uint32_t left, right, priority;
};

struct jit_code {
	struct jit_entry *entries;
	uint32_t count, used, room, free, root;
	uint32_t random;
	uint64_t dropped; /* entries for which there was no room */
};

/* All zero is an empty one. */
void jit_code_release(struct jit_code *code);
/*
 * The range, text, debug, length and source of entry replace whatever was known of these addresses;
 * of older code that reaches out of them the rest is kept. 0, -EINVAL for an empty range or a
 * longer name, -ENOSPC at the bound, -ENOMEM.
 */
int jit_code_add(struct jit_code *code, const struct jit_entry *entry);
/* The code at pc, or NULL. Valid until the next jit_code_add. */
struct jit_entry *jit_code_find(const struct jit_code *code, uint64_t pc);

#endif
