/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waits_sigprof - blocks SIGPROF, alone or with all others, in every thread and takes it by sigwait in
 * one. Hazard: what is sent goes to a profiler's handler, or ends the host, instead of to the one who
 * waits.
 *
 * usage: waits_sigprof one|all
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "host.h"

static _Atomic int taken;

static void *wait_for_it(void *set)
{
	int signo;

	while (taken < 3) {
		HOST_CHECK(sigwait(set, &signo) == 0 && signo == SIGPROF);
		taken++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	sigset_t set, seen, blocked;
	pthread_t waiter;

	HOST_CHECK(argc == 2);
	sigemptyset(&set);
	sigaddset(&set, SIGPROF);
	blocked = set;
	if (strcmp(argv[1], "all") == 0)
		sigfillset(&blocked);
	HOST_CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
	HOST_CHECK(sigprocmask(SIG_BLOCK, NULL, &seen) == 0);
	printf("blocked %d\n", sigismember(&seen, SIGPROF));
	HOST_CHECK(pthread_create(&waiter, NULL, wait_for_it, &set) == 0);
	for (int i = 0; i < 3; i++) {
		host_burn(0.1);
		HOST_CHECK(kill(getpid(), SIGPROF) == 0);
		while (taken <= i)
			host_sleep(0.001);
	}
	pthread_join(waiter, NULL);
	printf("taken %d\n", taken);
	host_say_cpu();
	return 0;
}
