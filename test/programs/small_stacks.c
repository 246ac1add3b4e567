/* SPDX-License-Identifier: Apache-2.0 */
/*
 * small_stacks - threads with stacks of PTHREAD_STACK_MIN, 16 KiB. Hazard: a signal's frame and a
 * handler that is greedy do not fit.
 */
#include <limits.h>
#include <pthread.h>

#include "host.h"

#define THREADS 20

static void *burn(void *unused)
{
	host_burn(0.03);
	return NULL;
}

int main(void)
{
	pthread_attr_t attributes;
	pthread_t ids[THREADS];

	pthread_attr_init(&attributes);
	HOST_CHECK(pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN) == 0);
	for (int i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_create(&ids[i], &attributes, burn, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_join(ids[i], NULL) == 0);
	host_say_cpu();
	return 0;
}
