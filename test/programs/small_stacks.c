/* SPDX-License-Identifier: Apache-2.0 */
/*
 * small_stacks - threads with stacks of PTHREAD_STACK_MIN, 16 KiB, that burn below a recursion of
 * LEVELS (1 if not given, 96 bytes and more each). Hazard: a signal's frame and a handler that is greedy
 * do not fit.
 *
 * usage: small_stacks [LEVELS]
 */
#include <limits.h>
#include <pthread.h>

#include "host.h"

#define THREADS 20

static int levels = 1;

__attribute__((noinline, noclone)) static int descend(int n)
{
	volatile char room[64] = {(char)n};

	if (n > 1)
		return descend(n - 1) + room[0];
	host_burn(0.03);
	return room[0];
}

static void *burn(void *unused)
{
	descend(levels);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_attr_t attributes;
	pthread_t ids[THREADS];

	if (argc > 1)
		levels = atoi(argv[1]);
	pthread_attr_init(&attributes);
	HOST_CHECK(pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN) == 0);
	for (int i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_create(&ids[i], &attributes, burn, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		HOST_CHECK(pthread_join(ids[i], NULL) == 0);
	host_say_cpu();
	return 0;
}
