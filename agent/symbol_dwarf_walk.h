/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees of DIEs to address ranges: which unit an address is in, and within a unit which function.
 *
 * AGENT: called by symbol_dwarf.c, with its handle. Depth, time and the number of ranges are bounded.
 */
#ifndef SPANPROF_AGENT_SYMBOL_DWARF_WALK_H
#define SPANPROF_AGENT_SYMBOL_DWARF_WALK_H

#include <stdint.h>
#include <time.h>

#include "agent/symbol_scope.h"

/* What deadlines are by. */
#define SYMBOL_DWARF_CLOCK CLOCK_THREAD_CPUTIME_ID

struct Dwarf; /* libdw's */

/* All units, by the offsets of their DIEs, sorted. 0, -ETIME, -ENOMEM. */
int symbol_dwarf_index(struct Dwarf *dwarf, uint64_t deadline_ns, struct symbol_scopes *units);
/* The functions of the unit at an offset and what is inlined into them, sorted; as index fails. */
int symbol_dwarf_functions(struct Dwarf *dwarf, uint64_t unit, uint64_t deadline_ns,
			   struct symbol_scopes *functions);

#endif
