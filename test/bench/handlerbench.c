/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handlerbench - what one sample costs, in ns: sends itself the timer's own signal, as the timer
 * would have, and times the delivery; then the same with a handler that does nothing. Run under the
 * preload with a destination configured.
 *
 * usage: handlerbench SAMPLES DEPTH; prints the medians with the profiler's handler and with an
 * empty one
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH 16 /* then a pause, in which the ring is emptied */
#define PAUSE_NS 60000000L
#define PATIENCE_NS 5000000000L

/* The kernel's: libc's differs, and its sigaction() is what the profiler interposes. */
struct kernel_action {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

static struct kernel_action theirs;
static siginfo_t seen;
static volatile sig_atomic_t was_seen;
static long *taken;

static long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void catch (int signal, siginfo_t *info, void *context)
{
	if (info->si_code == SI_TIMER)
		seen = *info;
	was_seen = info->si_code == SI_TIMER;
}

static void nothing(int signal, siginfo_t *info, void *context)
{
}

static void handle_with(void (*handler)(int, siginfo_t *, void *))
{
	struct kernel_action action = theirs;

	if (handler)
		action.handler = handler;
	syscall(SYS_rt_sigaction, SIGPROF, &action, NULL, 8);
}

static int by_value(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static __attribute__((noinline)) long measure(long samples, int depth)
{
	pid_t pid = getpid(), tid = (pid_t)syscall(SYS_gettid);
	struct timespec pause = {.tv_nsec = PAUSE_NS};
	volatile long result;

	if (depth > 1) {
		result = measure(samples, depth - 1);
		return result; /* not a tail call: the frame must stay */
	}
	for (long i = 0; i < samples; i++) {
		siginfo_t info = seen;
		long start;

		if (i % BATCH == 0)
			nanosleep(&pause, NULL);
		start = now_ns();
		syscall(SYS_rt_tgsigqueueinfo, pid, tid, SIGPROF, &info);
		taken[i] = now_ns() - start;
	}
	qsort(taken, (size_t)samples, sizeof(long), by_value);
	return taken[samples / 2];
}

int main(int argc, char **argv)
{
	long samples = argc > 1 ? atol(argv[1]) : 0, start = now_ns(), with, empty;
	int depth = argc > 2 ? atoi(argv[2]) : 1;

	if (samples < 1)
		return 2;
	taken = calloc((size_t)samples, sizeof(long));
	/* Attached by now: the first tick is within one period. */
	while (now_ns() - start < 300000000L)
		;
	syscall(SYS_rt_sigaction, SIGPROF, NULL, &theirs, 8);
	handle_with(catch);
	while (!was_seen && now_ns() - start < PATIENCE_NS)
		;
	handle_with(NULL);
	if (!was_seen) {
		fputs("handlerbench: no tick came\n", stderr);
		return 1;
	}
	with = measure(samples, depth);
	handle_with(nothing);
	empty = measure(samples, depth);
	handle_with(NULL);
	printf("%ld %ld\n", with, empty);
	return 0;
}
