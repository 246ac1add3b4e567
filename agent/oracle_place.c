/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle_place.c - frames to objects, rows and words. AGENT.
 */
#include <inttypes.h>
#include <stdio.h>

#include "agent/ehframe_text.h"
#include "agent/oracle_place.h"
#include "agent/symbol.h"

struct module *oracle_locate(const struct oracle_objects *o, const struct oracle_place *place,
			     const struct oracle_walk *w, size_t frame, uint64_t *vaddr)
{
	uint64_t pc = w->pcs[frame];
	const struct maps_entry *entry =
		maps_find(place->maps, unwind_exact(w->result, frame) ? pc : pc - 1);
	struct module *m;

	*vaddr = pc;
	if (!entry)
		return NULL;
	m = module_get(o->modules, entry, place->pid);
	if (!m->anon)
		*vaddr = module_vaddr(m, entry, pc);
	return m;
}

const struct feed_row *oracle_row(const struct oracle_objects *o, const struct oracle_place *place,
				  const struct oracle_walk *w, size_t frame, struct module **m)
{
	uint64_t vaddr;

	*m = oracle_locate(o, place, w, frame, &vaddr);
	if (!*m || (*m)->anon)
		return NULL;
	return tables_row(o->tables, *m, unwind_exact(w->result, frame) ? vaddr : vaddr - 1);
}

/* By which rule the handler steps from here. */
static void rule_at(const struct oracle_objects *o, struct module *m, uint64_t vaddr, bool exact, char *to,
		    size_t size)
{
	const struct feed_row *row =
		m && !m->anon ? tables_row(o->tables, m, exact ? vaddr : vaddr - 1) : NULL;

	if (row)
		ehframe_text(row, to, size);
	else
		snprintf(to, size, "by frame pointer");
}

void oracle_describe(const struct oracle_objects *o, struct module *m, uint64_t vaddr, bool exact,
		     char *to, size_t size)
{
	struct symbol_frame frame = {.name = "?"};
	char rule[64];

	if (m)
		symbol_resolve(m, exact ? vaddr : vaddr - 1, &frame, 1);
	rule_at(o, m, vaddr, exact, rule, sizeof(rule));
	snprintf(to, size, "%s!0x%" PRIx64 "%s %.100s, %s", m ? m->name : "nowhere", vaddr,
		 exact ? "" : "-1", frame.name, rule);
}
