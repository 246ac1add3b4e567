/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawnbench - what starting a program costs in several environments: posix_spawn and waitpid, the
 * environments in turn so that the machine's moods meet all of them, the median of each in ns.
 *
 * usage: spawnbench ROUNDS PROGRAM [--env NAME=VALUE...]...
 * Every --env begins one environment, which holds just the variables that follow it.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define ENVIRONMENTS_MAX 8
#define WARM_UP 10

static long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static long spawn_once(char *program, char **env)
{
	char *argv[] = {program, NULL};
	long start = now_ns();
	pid_t pid;
	int status, error = posix_spawn(&pid, program, NULL, NULL, argv, env);

	if (error) {
		fprintf(stderr, "spawnbench: %s: %s\n", program, strerror(error));
		exit(1);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status) {
		fprintf(stderr, "spawnbench: %s ended with status %d\n", program, status);
		exit(1);
	}
	return now_ns() - start;
}

static int by_value(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 0, *taken[ENVIRONMENTS_MAX];
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
		taken[e] = calloc((size_t)rounds, sizeof(long));
	for (long r = -WARM_UP; r < rounds; r++) {
		for (int i = 0; i < n; i++) {
			/* There and back: none runs always after the same other. */
			int e = r % 2 ? n - 1 - i : i;
			long ns = spawn_once(argv[2], envs[e]);

			if (r >= 0)
				taken[e][r] = ns;
		}
	}
	for (int e = 0; e < n; e++) {
		qsort(taken[e], (size_t)rounds, sizeof(long), by_value);
		printf("%ld\n", taken[e][rounds / 2]);
	}
	return 0;
}
