/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chained_handlers - two handlers for SIGPROF, the second calls the first; then the first alone again.
 * Hazard: the one before is a profiler's, or is gone, or has lost its flags.
 */
#include <signal.h>

#include "host.h"

static struct sigaction before;
static int first_calls, second_calls, values;

static void first(int signo, siginfo_t *info, void *ucontext)
{
	first_calls++;
	values += info->si_value.sival_int;
}

static void second(int signo, siginfo_t *info, void *ucontext)
{
	second_calls++;
	if (before.sa_flags & SA_SIGINFO)
		before.sa_sigaction(signo, info, ucontext);
}

static void send(int value)
{
	HOST_CHECK(sigqueue(getpid(), SIGPROF, (union sigval){.sival_int = value}) == 0);
}

int main(void)
{
	struct sigaction one = {.sa_sigaction = first, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction two = {.sa_sigaction = second, .sa_flags = SA_SIGINFO}, old;

	host_burn(0.1);
	HOST_CHECK(sigaction(SIGPROF, &one, &old) == 0 && old.sa_handler == SIG_DFL);
	send(1);
	HOST_CHECK(sigaction(SIGPROF, &two, &before) == 0 && before.sa_sigaction == first);
	printf("flags %x\n", (unsigned)before.sa_flags & ~0x04000000U);
	send(10);
	host_burn(0.2);
	HOST_CHECK(sigaction(SIGPROF, &before, &old) == 0 && old.sa_sigaction == second);
	send(100);
	HOST_CHECK(signal(SIGPROF, SIG_IGN) == (sighandler_t)(void *)first);
	send(1000);
	host_burn(0.1);
	HOST_CHECK(sigaction(SIGPROF, NULL, &old) == 0 && old.sa_handler == SIG_IGN);
	printf("first %d second %d values %d\n", first_calls, second_calls, values);
	host_say_cpu();
	return 0;
}
