/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles an object's .eh_frame into the rows that handlers walk by (shim/feed.h).
 *
 * AGENT. The bytes are hostile: whatever they are, the rows ascend and their number, the memory and
 * the time have bounds. What they say is not vouched for; a handler checks every address it reads.
 * The rows mean the registers of the object's machine.
 */
#ifndef SPANPROF_AGENT_EHFRAME_H
#define SPANPROF_AGENT_EHFRAME_H

#include "agent/module.h"
#include "shim/feed.h"

#define EHFRAME_ROWS_MAX (8u << 20) /* of one object; a browser has about half */
#define EHFRAME_FDES_MAX (2u << 20)
#define EHFRAME_CIES_MAX                                                                           \
	(64u << 10) /* linkers merge equal ones; the FDEs of any further are skipped */

struct ehframe_table {
	uint64_t
	    base; /* link-time address that the rows' starts count from: the lowest function's */
	struct feed_row *rows;
	size_t count;
};

/*
 * One row at least, the first at 0, the last a FEED_CFA_NONE, no two neighbours alike. Code between
 * functions is FEED_CFA_NONE, and so is a function whose description cannot be read. Where
 * functions overlap the one that starts lower keeps its code; of two that start together, the first
 * described.
 *
 * -ENOENT: nothing is described. -ENOTSUP: there are no rows for the machine. -ERANGE: 32 bits do
 * not span the code. -EFBIG: above a bound, -ENOMEM. out is then empty. Release what was compiled.
 */
int ehframe_compile(const struct module_frames *frames, struct ehframe_table *out);
void ehframe_release(struct ehframe_table *table);

/*
 * Put a row for [start, end), link-time addresses, where the table has nothing but FEED_CFA_NONE, or
 * nothing at all (-EEXIST otherwise). -EINVAL: an empty range; -ERANGE, -EFBIG, -ENOMEM as above; the
 * table stays. The only thing that may make neighbours alike.
 */
int ehframe_insert(struct ehframe_table *table, uint64_t start, uint64_t end, struct feed_row row);

/* The table as it goes into a region: the rows and their index (shim/feed.h). */
size_t ehframe_published_size(const struct ehframe_table *table);
void ehframe_publish(const struct ehframe_table *table, void *to);

/* The row of a link-time address, or NULL outside the table. */
const struct feed_row *ehframe_lookup(const struct ehframe_table *table, uint64_t vaddr);

#endif
