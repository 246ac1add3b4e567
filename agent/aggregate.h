/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggregate.h - the samples of one interval, summed: (stack, labels) to values, over all processes of
 * the service. Bounded, whatever clients send: see the limits. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_AGGREGATE_H
#define SPANPROF_AGENT_AGGREGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/names.h"
#include "agent/series.h"
#include "agent/stack.h"
#include "shim/feed.h"

/* Above this many distinct (stack, labels), further ones have no ids; above half as many again, no span
 * name either; above twice as many they are lost. All are counted. */
#define AGGREGATE_ENTRIES_MAX 200000
/* Of distinct stacks; the time of further ones is kept without its frames. */
#define AGGREGATE_STACK_BYTES (64UL << 20)

/* What an entry's samples are labelled with; all zero: nothing. No padding: compared as bytes. */
struct entry_labels {
	uint8_t trace_id[16]; /* all zero: none */
	uint8_t span_id[8];   /* the same; never without a trace */
	uint32_t name;	      /* aggregate_name() knows it; 0: none */
	uint32_t reserved;
};

struct entry {
	struct stack *stack;
	struct entry_labels labels;
	uint64_t weight; /* sample periods */
	uint64_t nanoseconds;
};

struct aggregate_options {
	size_t spans_max;   /* distinct; further ones keep their trace_id */
	uint32_t names;	    /* enum feed_names */
	const struct series *series; /* whose names find room in any case; or NULL */
};

/* Samples that lost something to a bound. */
struct aggregate_folded {
	uint64_t spans;	  /* kept their trace, not their span */
	uint64_t ids;	  /* lost both */
	uint64_t names;	  /* kept no name, or their method only */
	uint64_t stacks;  /* kept no frames */
	uint64_t samples; /* lost altogether */
};

struct aggregate;

struct aggregate *aggregate_new(uint64_t start_unix_ns, const struct aggregate_options *options);
void aggregate_free(struct aggregate *a);
/* Takes a reference of its own. Memory short: the sample is counted as lost. */
void aggregate_add(struct aggregate *a, struct stack *stack, const struct feed_context *context,
		   uint64_t weight, uint64_t nanoseconds);
/* At the interval's end: which names stay is the series' to say, and what they make equal is summed. */
void aggregate_choose_names(struct aggregate *a, struct series *series, uint64_t unix_ns);
uint64_t aggregate_start(const struct aggregate *a);
size_t aggregate_count(const struct aggregate *a);
const struct entry *aggregate_entry(const struct aggregate *a, size_t i);
/* The entry's span name, or NULL. */
const char *aggregate_name(const struct aggregate *a, const struct entry *e);
const struct aggregate_folded *aggregate_folded(const struct aggregate *a);

#endif
