/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle_place.h - what is at a frame of a walk: which object, which row, in words. Context: AGENT.
 * Private to oracle.c, except for its types.
 */
#ifndef SPANPROF_AGENT_ORACLE_PLACE_H
#define SPANPROF_AGENT_ORACLE_PLACE_H

#include "agent/publish.h"
#include "agent/unwind_libunwind.h"

/* One walk, innermost frame first. */
struct oracle_walk {
	const uint64_t *pcs;
	size_t count;
	const struct unwind_result *result;
};

/* What was sampled where. */
struct oracle_place {
	const struct maps *maps;
	pid_t pid;
};

/* Where to ask. */
struct oracle_objects {
	struct modules *modules;
	struct tables *tables;
};

/* The object that a frame is in, and where in it; NULL: in none. */
struct module *oracle_locate(const struct oracle_objects *o, const struct oracle_place *place,
			     const struct oracle_walk *w, size_t frame, uint64_t *vaddr);
/* Its row, if it has one; *m as above. */
const struct feed_row *oracle_row(const struct oracle_objects *o, const struct oracle_place *place,
				  const struct oracle_walk *w, size_t frame, struct module **m);
/* "object!0x1234 function, by rule"; "-1" marks a return address, whose call is what counts. */
void oracle_describe(const struct oracle_objects *o, struct module *m, uint64_t vaddr, bool exact,
		     char *to, size_t size);

#endif
