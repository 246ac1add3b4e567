/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aggregate.h - the samples of one interval, summed: (stack, labels) to values, over all processes of
 * the service. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_AGGREGATE_H
#define SPANPROF_AGENT_AGGREGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/feed.h"

/* Above this many distinct (stack, labels), further ones keep only their stack's total: no ids. */
#define AGGREGATE_ENTRIES_MAX 200000 /* and above twice as many, new stacks are lost, and counted */

struct module;

/* One frame: an address in an object as linked. exact: not a return address. */
struct frame {
	struct module *module;
	uint64_t vaddr;
	bool exact;
};

/* An immutable, shared call stack, leaf first. */
struct stack {
	unsigned references;
	uint32_t hash;
	uint32_t count;
	bool truncated;
	struct frame frames[];
};

/* A new stack with one reference, or NULL. */
struct stack *stack_new(const struct frame *frames, size_t count, bool truncated);
void stack_put(struct stack *stack);

struct entry {
	struct stack *stack;
	struct feed_context context; /* flags: FEED_CONTEXT_IDS or 0; request is 0 */
	uint64_t weight;	     /* sample periods */
	uint64_t nanoseconds;
};

struct aggregate;

struct aggregate *aggregate_new(uint64_t start_unix_ns);
void aggregate_free(struct aggregate *a);
/* Takes a reference of its own. Memory short: the sample is counted as lost. */
void aggregate_add(struct aggregate *a, struct stack *stack, const struct feed_context *context,
		   uint64_t weight, uint64_t nanoseconds);
uint64_t aggregate_start(const struct aggregate *a);
size_t aggregate_count(const struct aggregate *a);
const struct entry *aggregate_entry(const struct aggregate *a, size_t i);
/* Samples whose ids were folded away, and samples lost. */
uint64_t aggregate_folded(const struct aggregate *a);
uint64_t aggregate_lost(const struct aggregate *a);

#endif
