/* SPDX-License-Identifier: Apache-2.0 */
/*
 * closefrom - a thread closes every descriptor above 2, over and over, by each of the three ways that
 * programs have. Hazard: a descriptor that a profiler opens in the host's table is closed under it, or
 * its number becomes the host's.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <fcntl.h>

#include "host.h"

static _Atomic int stop;

static void *close_all(void *unused)
{
	for (int i = 0; !stop; i++) {
		if (i % 3 == 0)
			closefrom(3);
		else if (i % 3 == 1)
			close_range(3, ~0U, 0);
		else
			for (int fd = 3; fd < 64; fd++)
				close(fd);
	}
	return NULL;
}

int main(void)
{
	pthread_t closer;

	HOST_CHECK(pthread_create(&closer, NULL, close_all, NULL) == 0);
	host_burn(0.5);
	stop = 1;
	pthread_join(closer, NULL);
	printf("next descriptor %d\n", open("/dev/null", O_RDONLY));
	host_say_cpu();
	return 0;
}
