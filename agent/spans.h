/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spans.h - the distinct spans of an interval, up to a bound: clients make ids up. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_SPANS_H
#define SPANPROF_AGENT_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/feed.h"

struct span_key {
	uint8_t trace_id[16];
	uint8_t span_id[8];
};

struct spans {
	struct span_key *slots; /* open addressing; all zero: free */
	size_t slot_count, count, max;
};

/* No memory is taken before the first span. */
void spans_init(struct spans *s, size_t max);
void spans_release(struct spans *s);
/* Whether the context's span is one of the first max. */
bool spans_admit(struct spans *s, const struct feed_context *context);

#endif
