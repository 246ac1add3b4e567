/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions, files, lines and inlined callers from an object's DWARF.
 *
 * AGENT. The file is vetted and held by symbol_map.c; what remains is bounded in CPU time: an object
 * or a compilation unit that takes too much is given up, and its names come from elsewhere.
 * Split DWARF (.dwo files) is not followed: libdw would open any path that a file names.
 */
#ifndef SPANPROF_AGENT_SYMBOL_DWARF_H
#define SPANPROF_AGENT_SYMBOL_DWARF_H

#include "agent/symbol_answer.h"
#include "agent/symbol_map.h"

#define SYMBOL_DWARF_OPEN_MS 1000 /* to learn which unit has which addresses */
#define SYMBOL_DWARF_UNIT_MS 1000 /* to learn the functions of one unit */
/* All units together may take so long in each so long; until the next, answers are hurried. */
#define SYMBOL_DWARF_BUSY_MS 5000
#define SYMBOL_DWARF_WINDOW_MS 15000

struct symbol_dwarf;

/*
 * Takes both maps over, also when it fails. alt is dwz's common file, or not mapped. -ENODATA:
 * there is no DWARF; -ETIME: given up; -ENOMEM, -EBADMSG.
 */
int symbol_dwarf_open(struct symbol_dwarf **out, struct symbol_map *map, struct symbol_map *alt);
void symbol_dwarf_close(struct symbol_dwarf *d);

/* Innermost first; a count of 0 when nothing is known of vaddr. */
void symbol_dwarf_find(struct symbol_dwarf *d, uint64_t vaddr, struct symbol_answer *answer);

/* Memory held, as far as it can be known: libdw's own is estimated. */
size_t symbol_dwarf_bytes(const struct symbol_dwarf *d);

/* Gives back what the units that were looked at hold; they are read anew when next needed. */
int symbol_dwarf_shrink(struct symbol_dwarf *d);

#endif
