/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alternate_late - a handler installed for a roomy alternate stack, or before there is any, and then a
 * thread that gives it one with room for a signal's frame and little more. Hazard: whoever lets a
 * profiler's signal nest there on the strength of what it saw first.
 *
 * usage: alternate_late roomy|none
 */
#include <pthread.h>
#include <signal.h>

#include "host.h"

#define ROUNDS 10

static char roomy[65536], tight[65536];
static volatile int calls;

static void handle(int signo, siginfo_t *info, void *ucontext)
{
	calls++;
	host_burn(0.03);
}

static void *work(void *unused)
{
	stack_t alternate = {.ss_sp = tight, .ss_size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 1536};

	HOST_CHECK(sigaltstack(&alternate, NULL) == 0);
	for (int i = 0; i < ROUNDS; i++)
		raise(SIGUSR1);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	stack_t alternate = {.ss_sp = roomy, .ss_size = sizeof(roomy)};
	pthread_t id;

	HOST_CHECK(argc == 2);
	/* Bind what the handler calls: the dynamic linker needs 3 KiB for that. */
	host_burn(0);
	if (strcmp(argv[1], "roomy") == 0)
		HOST_CHECK(sigaltstack(&alternate, NULL) == 0);
	HOST_CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	host_burn(0.05);
	raise(SIGUSR1);
	HOST_CHECK(pthread_create(&id, NULL, work, NULL) == 0 && pthread_join(id, NULL) == 0);
	printf("handlers called %d times\n", calls);
	host_say_cpu();
	return 0;
}
