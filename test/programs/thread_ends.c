/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread_ends - a thousand threads that end by return, pthread_exit or cancellation. Hazard: a timer
 * left behind each; a record in use after its thread.
 */
#include <pthread.h>

#include "host.h"

#define THREADS 1000

static void *run(void *how)
{
	host_burn(0.0005);
	if ((long)how == 1)
		pthread_exit(NULL);
	while ((long)how == 2)
		pause();
	return NULL;
}

static int timers(void)
{
	char line[256];
	int n = 0;
	FILE *f = fopen("/proc/self/timers", "r");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		n += strncmp(line, "ID:", 3) == 0;
	fclose(f);
	return n;
}

int main(void)
{
	int cancelled = 0;

	for (long i = 0; i < THREADS; i++) {
		void *result;
		pthread_t id;

		HOST_CHECK(pthread_create(&id, NULL, run, (void *)(i % 3)) == 0);
		if (i % 3 == 2)
			HOST_CHECK(pthread_cancel(id) == 0);
		HOST_CHECK(pthread_join(id, &result) == 0);
		cancelled += result == PTHREAD_CANCELED;
	}
	printf("cancelled %d\nfigure timers %d\n", cancelled, timers());
	host_burn(0.2);
	host_say_cpu();
	return 0;
}
