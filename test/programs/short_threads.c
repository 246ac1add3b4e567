/* SPDX-License-Identifier: Apache-2.0 */
/*
 * short_threads - two thousand threads of a fifth of a millisecond, one after the other: most live and
 * end between two ticks of the kernel. Hazard: their CPU time is nobody's.
 */
#include <pthread.h>

#include "host.h"

#define THREADS 2000

static void *run(void *unused)
{
	host_burn(0.0002);
	return NULL;
}

int main(void)
{
	host_burn(0.05);
	for (int i = 0; i < THREADS; i++) {
		pthread_t id;

		HOST_CHECK(pthread_create(&id, NULL, run, NULL) == 0);
		HOST_CHECK(pthread_join(id, NULL) == 0);
	}
	host_say_cpu();
	return 0;
}
