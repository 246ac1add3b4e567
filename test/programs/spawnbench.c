/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawnbench - what starting a program costs in several environments: posix_spawn and wait4, the
 * environments in turn so that the machine's moods meet all of them. Of each, a line: the median ns until
 * it is over; ns of CPU time that it used itself, of which others that run can only make more, by what
 * they leave of the caches, so a low quantile; and the median of how often it gave up the processor to
 * wait.
 *
 * usage: spawnbench ROUNDS PROGRAM [--env NAME=VALUE...]...
 * Every --env begins one environment, which holds just the variables that follow it.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define ENVIRONMENTS_MAX 8
#define WARM_UP 10
#define LOW 20 /* one of so many uses less CPU time */

enum { WALL, CPU, WAITS, FIGURES };

static long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static long cpu_ns(const struct rusage *used)
{
	return (used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000000000L +
	       (used->ru_utime.tv_usec + used->ru_stime.tv_usec) * 1000L;
}

static void spawn_once(char *program, char **env, long figures[FIGURES])
{
	char *argv[] = {program, NULL};
	long start = now_ns();
	struct rusage used;
	pid_t pid;
	int status, error = posix_spawn(&pid, program, NULL, NULL, argv, env);

	if (error) {
		fprintf(stderr, "spawnbench: %s: %s\n", program, strerror(error));
		exit(1);
	}
	while (wait4(pid, &status, 0, &used) < 0 && errno == EINTR)
		;
	if (status) {
		fprintf(stderr, "spawnbench: %s ended with status %d\n", program, status);
		exit(1);
	}
	figures[WALL] = now_ns() - start;
	figures[CPU] = cpu_ns(&used);
	figures[WAITS] = used.ru_nvcsw;
}

static int by_value(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 0, *taken[ENVIRONMENTS_MAX][FIGURES];
	char **envs[ENVIRONMENTS_MAX];
	int n = 0;

	for (int i = 3; i < argc; i++) {
		if (strcmp(argv[i], "--env") != 0)
			continue;
		if (n == ENVIRONMENTS_MAX)
			return 2;
		/* The next --env, or argv's own end, ends this one. */
		argv[i] = NULL;
		envs[n++] = &argv[i + 1];
	}
	if (rounds < 1 || n == 0) {
		fputs("usage: spawnbench ROUNDS PROGRAM [--env NAME=VALUE...]...\n", stderr);
		return 2;
	}
	for (int e = 0; e < n; e++)
		for (int f = 0; f < FIGURES; f++)
			taken[e][f] = calloc((size_t)rounds, sizeof(long));
	for (long r = -WARM_UP; r < rounds; r++) {
		for (int i = 0; i < n; i++) {
			/* There and back: none runs always after the same other. */
			int e = r % 2 ? n - 1 - i : i;
			long figures[FIGURES];

			spawn_once(argv[2], envs[e], figures);
			for (int f = 0; r >= 0 && f < FIGURES; f++)
				taken[e][f][r] = figures[f];
		}
	}
	for (int e = 0; e < n; e++) {
		for (int f = 0; f < FIGURES; f++) {
			qsort(taken[e][f], (size_t)rounds, sizeof(long), by_value);
			printf("%ld%c", taken[e][f][rounds / (f == CPU ? LOW : 2)],
			       f + 1 < FIGURES ? ' ' : '\n');
		}
	}
	return 0;
}
