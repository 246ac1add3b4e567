/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h - what the small hosts share: burning CPU time, saying how much it was, and ending with a
 * word when the host itself sees that something is wrong. A host prints what it observed, the same
 * text bare and profiled; lines "figure NAME VALUE" are measurements and may differ.
 */
#ifndef HOST_H
#define HOST_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline double host_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static volatile unsigned long host_sink;

/* CPU time of the calling thread, by a loop that mostly makes no call; its name stays its name. */
__attribute__((noinline, noclone)) static void host_burn(double seconds)
{
	double end = host_clock(CLOCK_THREAD_CPUTIME_ID) + seconds;
	unsigned long x = 1;

	while (host_clock(CLOCK_THREAD_CPUTIME_ID) < end)
		for (unsigned long i = 0; i < 50000; i++)
			host_sink = x = x * 6364136223846793005UL + i;
}

static inline void host_sleep(double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds,
			     .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

/* The CPU time of this process so far; a run's figures of this name are added up. */
static inline void host_say_cpu(void)
{
	printf("figure cpu %.4f\n", host_clock(CLOCK_PROCESS_CPUTIME_ID));
	fflush(stdout);
}

#define HOST_CHECK(condition)                                                                        \
	do {                                                                                         \
		if (!(condition)) {                                                                  \
			printf("line %d: %s (%s)\n", __LINE__, #condition, strerror(errno));         \
			fflush(stdout);                                                              \
			_exit(99);                                                                   \
		}                                                                                    \
	} while (0)

#endif
