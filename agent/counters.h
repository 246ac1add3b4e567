/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters.h - what hosts counted (shim/feed.h, FEED_COUNTERS) and the agent itself into the log: each kind of loss once
 * when it first happens, all of them at level debug with every upload. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_COUNTERS_H
#define SPANPROF_AGENT_COUNTERS_H

#include "agent/aggregate.h"
#include "agent/client.h"

/* Look at one region's words; it may write what it likes there, so nothing but text comes of it. */
void counters_look(const struct client *client);
/* What the agent's own bounds took from samples so far: each kind once when it first happens, all at debug. */
void counters_bounds(const struct aggregate_folded *folded);
/* Say the sums so far at level debug. */
void counters_say(void);

#endif
