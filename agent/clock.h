/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - a clock's time in nanoseconds. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_CLOCK_H
#define SPANPROF_AGENT_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

#endif
