/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect.h - from drained records to the aggregate of the interval, late labels included. Context:
 * AGENT.
 */
#ifndef SPANPROF_AGENT_COLLECT_H
#define SPANPROF_AGENT_COLLECT_H

#include <stdint.h>

#include "agent/aggregate.h"
#include "agent/drain.h"
#include "agent/module.h"

struct collect_totals {
	uint64_t samples; /* periods */
	uint64_t nanoseconds;
	uint64_t spans; /* distinct, counted for the life of the agent up to a bound */
	struct aggregate_folded folded; /* of the intervals that were taken */
};

struct collect;

/* Uses period_ns, max_spans and span_names. */
struct collect *collect_new(const struct feed_config *config, uint64_t unix_ns);
/* From now on walk every stack twice, and compare. */
void collect_verify(struct collect *c);
/* What came of that, into the log. */
void collect_say(const struct collect *c);
void collect_free(struct collect *c);
/* Drain one client. Returns the number of records. */
uint64_t collect_client(struct collect *c, struct client *client, uint64_t now_ns);
/* Settle what has waited too long, or all of it, as nobody's. */
void collect_expire(struct collect *c, struct client *client, uint64_t now_ns, uint64_t hold_ns);
/* The aggregate so far, now the caller's; a new one begins at unix_ns. NULL: out of memory. */
struct aggregate *collect_take(struct collect *c, uint64_t unix_ns);
struct module *collect_program(const struct collect *c);
const struct collect_totals *collect_totals(const struct collect *c);

#endif
