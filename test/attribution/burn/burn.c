/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libburn - the ground truth of the attribution matrix. burn(n, us) burns CPU in a function of n's
 * own, so that whatever the profiler says of a sample, its stack tells which request it was taken
 * in.
 */
#include <stdint.h>
#include <time.h>

#include "burn.h"

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The clock is a system call: looked at every few microseconds only. */
static inline __attribute__((always_inline)) void spin(unsigned seed, unsigned us)
{
	int64_t end = cpu_ns() + us * 1000LL;
	uint64_t x = seed;

	do {
		for (int i = 0; i < 20000; i++)
			x = x * 6364136223846793005ULL + seed;
		__asm__ volatile("" : "+r"(x)); /* used */
	} while (cpu_ns() < end);
}

/* The seed keeps the compiler from folding equal bodies; the barrier makes each a frame of its own.
 */
#define ONE(n)                                                                                     \
	__attribute__((noinline, noclone)) void burn_##n(unsigned us);                             \
	__attribute__((noinline, noclone)) void burn_##n(unsigned us)                              \
	{                                                                                          \
		spin(1##n, us);                                                                    \
		__asm__ volatile("" : : : "memory");                                               \
	}
#define TEN(m, n) m(n##0) m(n##1) m(n##2) m(n##3) m(n##4) m(n##5) m(n##6) m(n##7) m(n##8) m(n##9)
#define HUNDRED(m, n)                                                                              \
	TEN(m, n##0)                                                                               \
	TEN(m, n##1) TEN(m, n##2) TEN(m, n##3) TEN(m, n##4) TEN(m, n##5) TEN(m, n##6) TEN(m, n##7) \
	    TEN(m, n##8) TEN(m, n##9)
#define ALL(m)                                                                                     \
	HUNDRED(m, 0)                                                                              \
	HUNDRED(m, 1) HUNDRED(m, 2) HUNDRED(m, 3) HUNDRED(m, 4) TEN(m, 50) m(510) m(511)

ALL(ONE)

#define NAME(n) burn_##n,
static void (*const function[BURN_FUNCTIONS])(unsigned) = {ALL(NAME)};

void burn(unsigned n, unsigned us)
{
	function[n % BURN_FUNCTIONS](us);
	__asm__ volatile("" : : : "memory");
}
