/* SPDX-License-Identifier: Apache-2.0 */
/* A library with one function, named by BURN, that uses CPU time with FRAME bytes of stack. */
#include <string.h>
#include <time.h>

#define TEXT_(name) #name
#define TEXT(name) TEXT_(name)

const char burner_name[] = TEXT(BURN);

static double thread_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The CPU time that it used: the first reading is the last of its own. */
double BURN(double seconds)
{
	volatile unsigned char frame[FRAME];
	double start = thread_cpu(), now;
	unsigned long x = 1;

	do {
		for (unsigned long i = 0; i < 20000; i++) {
			x = x * 6364136223846793005UL + i;
			frame[x % FRAME] += (unsigned char)i;
		}
		now = thread_cpu();
	} while (now - start < seconds);
	return now - start;
}
