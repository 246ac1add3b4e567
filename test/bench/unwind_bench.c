/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a walk costs, in a signal handler, at a given depth, in one run: the handler's walk by compiled
 * tables, and libunwind's unw_step. Prints one line each: nanoseconds a frame,
 * median of ROUNDS walks, and of the first walk.
 *
 * usage: unwind_bench [DEPTH]
 */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#include "shim/regs.h"
#include "shim/unwind.h"
#include "test/unit/own_tables.h"

#define FRAMES 256
#define ROUNDS 2001

static struct own_tables own;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static size_t by_tables(const ucontext_t *uc)
{
	uintptr_t low = (regs_sp(uc) - REGS_RED_ZONE) & ~(uintptr_t)7;
	struct unwind_stack stack = {.low = low, .high = own.stack_high};
	uint64_t frames[FRAMES];
	bool complete;

	return unwind_frames(regs_cursor(uc),
			     &stack, &own.tables, frames, FRAMES, &complete);
}

static size_t by_libunwind(const ucontext_t *uc)
{
	unw_cursor_t cursor;
	unw_word_t ip;
	size_t n = 0;

	unw_init_local2(&cursor, (unw_context_t *)uc, UNW_INIT_SIGNAL_FRAME);
	do {
		unw_get_reg(&cursor, UNW_REG_IP, &ip);
		n++;
	} while (n < FRAMES && unw_step(&cursor) > 0);
	return n;
}

/* Volatile: raise() is declared a leaf, so the compiler thinks it cannot reach the handler. */
static size_t (*volatile walk)(const ucontext_t *);
static volatile double times[ROUNDS];
static volatile size_t frames_found;
static volatile int rounds_done;

static void on_signal(int signo, siginfo_t *info, void *uc)
{
	double start = now_ns();

	frames_found = walk(uc);
	times[rounds_done++] = now_ns() - start;
}

__attribute__((noinline)) static int descend(int depth)
{
	volatile int kept = depth;

	if (depth)
		return descend(depth - 1) + kept;
	for (rounds_done = 0; rounds_done < ROUNDS;)
		raise(SIGUSR1);
	return kept;
}

static int ascending(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void measure(const char *name, size_t (*how)(const ucontext_t *), int depth)
{
	double first;

	walk = how;
	descend(depth);
	first = times[0];
	qsort((void *)times, ROUNDS, sizeof(times[0]), ascending);
	printf("%s %zu frames: %.0f ns a walk, %.1f ns a frame; first walk %.1f us\n", name,
	       frames_found, times[ROUNDS / 2], times[ROUNDS / 2] / (double)frames_found,
	       first / 1000);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	int depth = argc > 1 ? atoi(argv[1]) : 24;

	own_tables_make(&own);
	sigaction(SIGUSR1, &action, NULL);
	measure("tables", by_tables, depth);
	measure("unw_step", by_libunwind, depth);
	return 0;
}
