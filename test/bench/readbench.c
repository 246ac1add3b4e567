/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readbench - ns of one read() of one byte from a pipe, median over ROUNDS fills of it.
 *
 * usage: readbench ROUNDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILL 4096

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100, ends[2];
	double *each = calloc((size_t)rounds, sizeof(*each));
	char bytes[FILL] = {0}, byte;

	if (rounds < 1 || pipe(ends) != 0)
		return 2;
	for (int r = 0; r < rounds; r++) {
		double start;

		if (write(ends[1], bytes, FILL) != FILL)
			return 1;
		start = now_ns();
		for (int i = 0; i < FILL; i++)
			if (read(ends[0], &byte, 1) != 1)
				return 1;
		each[r] = (now_ns() - start) / FILL;
	}
	qsort(each, (size_t)rounds, sizeof(*each), by_value);
	printf("%.1f\n", each[rounds / 2]);
	return 0;
}
