/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - a clock's time in nanoseconds, by raw system call. Context: any. 0 if there is no such
 * clock.
 */
#ifndef SPANPROF_SHIM_CLOCK_H
#define SPANPROF_SHIM_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "shim/raw.h"

static inline uint64_t clock_ns(long clock)
{
	struct timespec now = {0};

	raw2(SYS_clock_gettime, clock, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

#endif
