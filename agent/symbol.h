/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link-time address to function names: what every frame of a profile is shown as.
 *
 * AGENT. Names belong to the module they are in and stay valid as long as it does, so callers
 * keep the pointers and may compare them.
 */
#ifndef SPANPROF_AGENT_SYMBOL_H
#define SPANPROF_AGENT_SYMBOL_H

#include "agent/module.h"

#define SYMBOL_FALLBACK_MAX 65536 /* addresses an object named as name!0x...; then name alone */

struct symbol_frame {
	const char *name;	  /* never NULL */
	const char *system_name;  /* as linked (mangled); never NULL */
	const char *file;	  /* NULL when unknown */
	int64_t line, start_line; /* 0 when unknown */
};

/*
 * The functions at vaddr, innermost (inlined) first: at least one, at most max (>= 1). An address
 * outside every symbol is "libfoo.so!0x1234", one in memory without an object "[anon]".
 */
size_t symbol_resolve(struct module *module, uint64_t vaddr, struct symbol_frame *out, size_t max);

#endif
