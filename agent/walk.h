/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.h - a drained sample to a stack of frames that means the same in every process: the rest of the
 * walk, and program counters to addresses in objects. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_WALK_H
#define SPANPROF_AGENT_WALK_H

#include <stdint.h>

#include "agent/aggregate.h"
#include "agent/drain.h"
#include "agent/module.h"
#include "agent/oracle.h"

struct walk;

struct walk *walk_new(struct modules *modules);
void walk_free(struct walk *walk);
/* Have every stack judged. The oracle stays the caller's. */
void walk_verify(struct walk *walk, struct oracle *oracle);
/* One reference to a new stack, or NULL: out of memory. */
struct stack *walk_sample(struct walk *walk, const struct drained_sample *sample, uint64_t now_ns);
/* The program of the first process seen, for the profile's first mapping; or NULL. */
struct module *walk_program(const struct walk *walk);

#endif
