/* SPDX-License-Identifier: Apache-2.0 */
/*
 * no_timers - RLIMIT_SIGPENDING is used up before its threads start, so none of them gets a timer.
 * Hazard: a thread's start fails with its timer.
 */
#include <pthread.h>
#include <sys/resource.h>

#include "host.h"

static void *burn(void *unused)
{
	host_burn(0.05);
	return unused;
}

int main(void)
{
	struct rlimit limit = {0, 0};
	pthread_t ids[4];

	HOST_CHECK(setrlimit(RLIMIT_SIGPENDING, &limit) == 0);
	for (int i = 0; i < 4; i++)
		HOST_CHECK(pthread_create(&ids[i], NULL, burn, NULL) == 0);
	for (int i = 0; i < 4; i++)
		HOST_CHECK(pthread_join(ids[i], NULL) == 0);
	host_burn(0.3);
	printf("alive\nfigure cpu %.4f\n", host_clock(CLOCK_THREAD_CPUTIME_ID));
	return 0;
}
