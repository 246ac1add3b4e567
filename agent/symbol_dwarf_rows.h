/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line table of a unit, out of libdw and into symbol_lines.
 *
 * AGENT: called by symbol_dwarf.c, with its handles. What a line program may take is bounded.
 */
#ifndef SPANPROF_AGENT_SYMBOL_DWARF_ROWS_H
#define SPANPROF_AGENT_SYMBOL_DWARF_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "agent/symbol_lines.h"

struct Dwarf; /* libdw's */
struct Elf;

/* The section .debug_line, borrowed from an open handle. */
struct symbol_dwarf_programs {
	const char *bytes; /* NULL: none */
	size_t size;
};

void symbol_dwarf_programs(struct Elf *elf, struct symbol_dwarf_programs *out);
/*
 * The rows of the unit at an offset, if there are any; lines is empty before, and after an error.
 * Returns how many bytes libdw now holds for it.
 */
size_t symbol_dwarf_rows(struct Dwarf *dwarf, const struct symbol_dwarf_programs *programs,
			 uint64_t unit, struct symbol_lines *lines);

#endif
