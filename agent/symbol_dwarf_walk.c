/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks libdw's trees once, for what libdw would walk at every question.
 *
 * AGENT: called by symbol_dwarf.c when an object, or a unit of it, is first asked for.
 */
#include "agent/symbol_dwarf_walk.h"

#include "agent/clock.h"

#include <errno.h>
#include <stdbool.h>

#include <dwarf.h>
#include <elfutils/libdw.h>

#define DWARF_DEPTH_MAX 64	   /* DIEs within each other */
#define DWARF_CHECK_EVERY 1024	   /* DIEs between two looks at the clock */

struct walk {
	struct symbol_scopes *into;
	uint32_t unit; /* scope that all ranges belong to; or none, and each function is one */
	uint64_t deadline_ns;
	unsigned visited;
	int error;
};

static bool late(struct walk *w)
{
	if (++w->visited % DWARF_CHECK_EVERY == 0 && clock_ns(SYMBOL_DWARF_CLOCK) > w->deadline_ns)
		w->error = -ETIME;
	return w->error != 0;
}

/* A linker that dropped a function leaves it at address 0. */
static void add_ranges(struct walk *w, Dwarf_Die *die, uint32_t scope)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	while (!w->error && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
		if (start && symbol_scopes_add_range(w->into, scope, start, end))
			w->error = -ENOMEM;
		late(w);
	}
}

static bool may_hold_functions(int tag)
{
	static const int tags[] = {
	    DW_TAG_subprogram,	   DW_TAG_inlined_subroutine, DW_TAG_lexical_block,
	    DW_TAG_try_block,	   DW_TAG_catch_block,	      DW_TAG_namespace,
	    DW_TAG_structure_type, DW_TAG_class_type,	      DW_TAG_union_type,
	    DW_TAG_module,
	};

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (tags[i] == tag)
			return true;
	return false;
}

static void walk_children(struct walk *w, Dwarf_Die *parent, uint32_t scope, int depth);

/* What has no code of its own, a declaration or an abstract instance, may hold what has: lambdas.
 */
static void walk_die(struct walk *w, Dwarf_Die *die, uint32_t scope, int depth)
{
	int tag = dwarf_tag(die);
	bool function = tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;

	if (!may_hold_functions(tag))
		return;
	if (tag == DW_TAG_subprogram)
		scope = SYMBOL_SCOPE_NONE;
	if (function && (dwarf_hasattr(die, DW_AT_low_pc) || dwarf_hasattr(die, DW_AT_ranges))) {
		scope = w->unit != SYMBOL_SCOPE_NONE
			    ? w->unit
			    : symbol_scopes_add(w->into, dwarf_dieoffset(die), scope);
		if (scope == SYMBOL_SCOPE_NONE)
			w->error = -ENOMEM;
		else
			add_ranges(w, die, scope);
	}
	walk_children(w, die, scope, depth + 1);
}

static void walk_children(struct walk *w, Dwarf_Die *parent, uint32_t scope, int depth)
{
	Dwarf_Die die;
	int more;

	if (depth > DWARF_DEPTH_MAX || dwarf_child(parent, &die) != 0)
		return;
	do {
		walk_die(w, &die, scope, depth);
		more = late(w) ? 1 : dwarf_siblingof(&die, &die);
	} while (more == 0);
}

static void index_unit(struct walk *w, Dwarf_Die *die, uint8_t type)
{
	size_t before = w->into->range_count;
	uint32_t scope;

	if (type != DW_UT_compile && type != DW_UT_skeleton)
		return;
	scope = symbol_scopes_add(w->into, dwarf_dieoffset(die), SYMBOL_SCOPE_NONE);
	if (scope == SYMBOL_SCOPE_NONE)
		w->error = -ENOMEM;
	else
		add_ranges(w, die, scope);
	/* A unit that does not say where its code is says it in its functions, or has none. */
	w->unit = scope;
	if (w->into->range_count == before && !w->error && dwarf_hasattr(die, DW_AT_stmt_list))
		walk_children(w, die, scope, 0);
	if (!w->error && clock_ns(SYMBOL_DWARF_CLOCK) > w->deadline_ns)
		w->error = -ETIME;
}

int symbol_dwarf_index(Dwarf *dwarf, uint64_t deadline_ns, struct symbol_scopes *units)
{
	struct walk w = {.into = units, .deadline_ns = deadline_ns};
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	Dwarf_Half version;
	uint8_t type;

	while (!w.error && dwarf_get_units(dwarf, cu, &cu, &version, &type, &die, NULL) == 0)
		index_unit(&w, &die, type);
	symbol_scopes_sort(units);
	return w.error;
}

int symbol_dwarf_functions(Dwarf *dwarf, uint64_t unit, uint64_t deadline_ns,
			   struct symbol_scopes *functions)
{
	struct walk w = {
	    .into = functions, .unit = SYMBOL_SCOPE_NONE, .deadline_ns = deadline_ns};
	Dwarf_Die die;

	if (!dwarf_offdie(dwarf, unit, &die))
		return -EBADMSG;
	walk_children(&w, &die, SYMBOL_SCOPE_NONE, 0);
	if (w.error)
		symbol_scopes_release(functions);
	symbol_scopes_sort(functions);
	return w.error;
}
