/* SPDX-License-Identifier: Apache-2.0 */
/*
 * many_threads - 100 threads that reach their first tick at once. Hazard: they all attach, or wait for
 * each other inside a signal handler.
 */
#include <pthread.h>

#include "host.h"

#define THREADS 100

static pthread_barrier_t barrier;

static void *burn(void *unused)
{
	pthread_barrier_wait(&barrier);
	host_burn(0.03);
	return NULL;
}

int main(void)
{
	pthread_t ids[THREADS];

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_create(&ids[i], NULL, burn, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_join(ids[i], NULL) == 0);
	host_say_cpu();
	return 0;
}
