/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burn - a loop that makes no call at all, in one function, on N threads, for S seconds of CPU each;
 * prints the CPU time the process really used.
 *
 * usage: burn SECONDS [THREADS]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double cpu_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static volatile unsigned long sink;

__attribute__((noinline)) void burn_in_a_loop(unsigned long rounds)
{
	unsigned long x = rounds;

	for (unsigned long i = 0; i < rounds; i++)
		x = x * 6364136223846793005UL + i;
	sink = x;
}

static double seconds;
static unsigned long per_second;

static void *burn(void *unused)
{
	burn_in_a_loop((unsigned long)(seconds * (double)per_second));
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc > 2 ? atoi(argv[2]) : 1;
	pthread_t ids[256];
	double start = cpu_of(CLOCK_THREAD_CPUTIME_ID);

	seconds = argc > 1 ? atof(argv[1]) : 1;
	burn_in_a_loop(20000000);
	per_second = (unsigned long)(20000000 / (cpu_of(CLOCK_THREAD_CPUTIME_ID) - start));
	if (threads > 256)
		threads = 256;
	for (int i = 1; i < threads; i++)
		pthread_create(&ids[i], NULL, burn, NULL);
	burn(NULL);
	for (int i = 1; i < threads; i++)
		pthread_join(ids[i], NULL);
	printf("%.3f\n", cpu_of(CLOCK_PROCESS_CPUTIME_ID));
	return 0;
}
