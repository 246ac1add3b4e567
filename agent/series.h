/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series.h - which span names with a path samples may bear: a server keeps a series of each for good,
 * and clients choose paths. Context: AGENT, one for its life.
 */
#ifndef SPANPROF_AGENT_SERIES_H
#define SPANPROF_AGENT_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/names.h"

#define SERIES_MAX 200	  /* names with a path at once; methods alone are few and not counted */
#define SERIES_BURST 10	  /* that may be replaced at once, */
#define SERIES_REPLACE_NS 60000000000ULL /* and one more after each */

struct series;

struct series *series_new(void);
void series_free(struct series *s);
bool series_has(const struct series *s, const struct route *route);
/* At an interval's end: admits and replaces names by CPU time, and has all others shown as their method.
 * Returns how many are. */
uint32_t series_choose(struct series *s, struct names *names, uint64_t unix_ns);

#endif
