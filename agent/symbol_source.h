/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that can name addresses of one object, read when first asked and given back when
 * other objects need the memory.
 *
 * AGENT, one set for the process. All sources together stay within SYMBOL_SOURCES_BYTES, except
 * that the object in use may keep what it needs for its present question.
 */
#ifndef SPANPROF_AGENT_SYMBOL_SOURCE_H
#define SPANPROF_AGENT_SYMBOL_SOURCE_H

#include "agent/module.h"
#include "agent/symbol_dwarf.h"

#define SYMBOL_SOURCES_BYTES (48u << 20) /* three quarters of SYMBOL_BUDGET_BYTES */

struct symbol_source;

/* Of a module whose file is open and that outlives it. NULL: out of memory. */
struct symbol_source *symbol_source_new(const struct module *module);
void symbol_source_free(struct symbol_source *s);

/*
 * True if a debug file that was missing has arrived: the source is then as good as new, and what it
 * said is outdated.
 */
bool symbol_source_renew(struct symbol_source *s);

/* What DWARF knows, innermost first; a count of 0 when that is nothing. */
void symbol_source_dwarf(struct symbol_source *s, uint64_t vaddr, struct symbol_answer *a);

/*
 * The symbol at vaddr, as linked: of .symtab, of the separate debug file's, of .gnu_debugdata, a
 * stub's ("memcpy@plt"), of .dynsym; NULL without any. Valid until the next call.
 */
const char *symbol_source_linked(struct symbol_source *s, uint64_t vaddr);

/* Whether GNAT has linked it, by its symbols: for functions of which DWARF does not tell. */
bool symbol_source_ada(const struct symbol_source *s);

/* To be called when a question is answered: makes the sources fit their budget again. */
void symbol_source_settle(struct symbol_source *s);

/* Memory of all sources. */
size_t symbol_source_bytes(void);

#endif
