/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_sigprof - owns SIGPROF: ITIMER_PROF every 10 ms and a handler that counts. Hazard: it sees a
 * profiler's ticks, or the profiler takes its signal. "late": after the first samples. How many ticks were
 * due is said by the clock that ITIMER_PROF goes by: what the kernel charged at its own ticks.
 *
 * usage: own_sigprof sigaction|signal|late
 */
#include <signal.h>
#include <sys/time.h>

#include "host.h"

/* CPUCLOCK_PROF of the calling process, in the kernel's encoding. */
#define PROF_CLOCK ((clockid_t)(~0U << 3))
#define EVERY_US 10000

static volatile int ticks, wrong;

static void count(int signo)
{
	ticks++;
	wrong += signo != SIGPROF;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART}, seen;
	struct itimerval every = {{0, EVERY_US}, {0, EVERY_US}};
	double began;

	HOST_CHECK(argc == 2);
	if (strcmp(argv[1], "late") == 0)
		host_burn(0.2);
	if (strcmp(argv[1], "signal") == 0)
		HOST_CHECK(signal(SIGPROF, count) == SIG_DFL);
	else
		HOST_CHECK(sigaction(SIGPROF, &action, NULL) == 0);
	HOST_CHECK(sigaction(SIGPROF, NULL, &seen) == 0);
	printf("handler is %s, flags %x\n", seen.sa_handler == count ? "mine" : "not mine",
	       (unsigned)seen.sa_flags & ~0x04000000U);
	began = host_clock(PROF_CLOCK);
	HOST_CHECK(setitimer(ITIMER_PROF, &every, NULL) == 0);
	host_burn(1);
	printf("figure due %.1f\n", (host_clock(PROF_CLOCK) - began) * 1e6 / EVERY_US);
	memset(&every, 0, sizeof(every));
	HOST_CHECK(setitimer(ITIMER_PROF, &every, NULL) == 0);
	printf("wrong %d\nfigure ticks %d\n", wrong, ticks);
	host_say_cpu();
	return 0;
}
