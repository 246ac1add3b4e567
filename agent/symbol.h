/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link-time address to function names: what every frame of a profile is shown as.
 *
 * AGENT, for one thread. Of an address the best source that knows it speaks: DWARF (of the object
 * or its separate debug file), .symtab, .gnu_debugdata, the stubs of the PLT, .dynsym; what none
 * knows is named by its object and the start of its function.
 */
#ifndef SPANPROF_AGENT_SYMBOL_H
#define SPANPROF_AGENT_SYMBOL_H

#include "agent/module.h"

/* Of all that is kept for names: resolved addresses, symbol tables, what libdw holds. */
#define SYMBOL_BUDGET_BYTES (64u << 20)

struct symbol_frame {
	const char *name;	  /* demangled; never NULL */
	const char *system_name;  /* as linked (mangled); never NULL */
	const char *file;	  /* NULL when unknown */
	int64_t line, start_line; /* 0 when unknown */
};

/*
 * Directories, colon-separated, that are searched for debug files besides /usr/lib/debug (kept by
 * reference), and whether the arguments of templates are left out of names. Before any is made.
 */
void symbol_configure(const char *debug_path, bool shorten_templates);

/*
 * The functions at vaddr, innermost (inlined) first: at least one, at most max (>= 1). An address
 * outside every symbol is "libfoo.so!0x1234", one in memory without an object "[anon]". Names are
 * valid until the next call.
 */
size_t symbol_resolve(struct module *module, uint64_t vaddr, struct symbol_frame *out, size_t max);

#endif
