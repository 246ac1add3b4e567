/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocks_all - every thread blocks every signal, as worker threads do. Hazard: they are never sampled;
 * or they see in their masks that somebody meddled.
 */
#include <pthread.h>
#include <signal.h>

#include "host.h"

static void *burn(void *how)
{
	sigset_t all, seen;

	sigfillset(&all);
	if (how)
		HOST_CHECK(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0);
	HOST_CHECK(pthread_sigmask(SIG_BLOCK, NULL, &seen) == 0);
	HOST_CHECK(sigismember(&seen, SIGTERM) && sigismember(&seen, SIGUSR1));
	host_burn(0.2);
	return NULL;
}

int main(void)
{
	sigset_t all, none;
	pthread_t ids[4];

	sigfillset(&all);
	sigemptyset(&none);
	for (int i = 0; i < 4; i++) {
		/* The first two inherit the mask, the others make it. */
		HOST_CHECK(pthread_sigmask(SIG_SETMASK, i < 2 ? &all : &none, NULL) == 0);
		HOST_CHECK(pthread_create(&ids[i], NULL, burn, i < 2 ? NULL : &all) == 0);
	}
	HOST_CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	host_burn(0.2);
	for (int i = 0; i < 4; i++)
		pthread_join(ids[i], NULL);
	host_say_cpu();
	return 0;
}
