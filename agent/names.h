/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h - the span names of one interval, each once, with what they cost. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_NAMES_H
#define SPANPROF_AGENT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/route.h"

#define NAMES_MAX 4096 /* with a path; of a further one the interval knows the method only */

struct name {
	struct route route;
	uint64_t nanoseconds;
	uint64_t samples; /* taken, whatever they weigh */
	uint32_t shown; /* number of the name that samples bear in its stead; its own unless folded */
};

/* All zero: empty. */
struct names {
	struct name *items;
	uint32_t count, room;
	uint32_t paths; /* of them with a path */
	uint32_t *slots;
	size_t slot_count;
};

void names_release(struct names *n);
/* The number of a name, from 1; new ones are taken in. 0: no memory. */
uint32_t names_put(struct names *n, const struct route *route);
/* The same without taking in; 0: it is not there. */
uint32_t names_find(const struct names *n, const struct route *route);
struct name *names_at(const struct names *n, uint32_t number);
bool names_full(const struct names *n);

/* Its method alone. */
struct route names_method(const struct route *route);
bool names_has_path(const struct route *route);

#endif
