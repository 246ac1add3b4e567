/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jit_names.h - names of code made at run time, as numbers: what a frame keeps, since the address
 * may be another function's a second later. Context: AGENT. Names come from files that hosts write;
 * what is kept is valid UTF-8 without control characters and not endless.
 */
#ifndef SPANPROF_AGENT_JIT_NAMES_H
#define SPANPROF_AGENT_JIT_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define JIT_NAMES_MAX 65536 /* for the life of the agent; further ones are all number 1 */
#define JIT_NAME_MAX 512    /* bytes of one */
#define JIT_NAME_OTHER 1U   /* "[jit]" */

extern const char jit_name_other[];

struct jit_name {
	const char *name; /* never NULL; lives as long as the table */
	const char *file; /* or NULL */
	int64_t line;	  /* that the function begins at; 0: unknown */
};

struct jit_names;

struct jit_names *jit_names_new(void);
void jit_names_free(struct jit_names *names);
/* The number, never 0, of a name and its file (NULL: unknown), neither of them clean nor ended. */
uint32_t jit_names_put(struct jit_names *names, const char *name, size_t length, const char *file,
		       size_t file_length, int64_t line);
const struct jit_name *jit_names_get(const struct jit_names *names, uint32_t number);
size_t jit_names_count(const struct jit_names *names);

/* At most JIT_NAME_MAX bytes and a NUL to out. Returns the length. */
size_t jit_names_clean(char *out, const char *text, size_t length);

#endif
