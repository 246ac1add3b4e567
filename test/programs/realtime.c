/* SPDX-License-Identifier: Apache-2.0 */
/*
 * realtime - SCHED_FIFO, pinned to one processor. Hazard: an agent that inherits both never runs
 * beside its host, or takes the host's time.
 */
#include <sched.h>

#include "host.h"

int main(void)
{
	struct sched_param high = {.sched_priority = 50};
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	HOST_CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	HOST_CHECK(sched_setscheduler(0, SCHED_FIFO, &high) == 0);
	host_burn(0.7);
	HOST_CHECK(sched_getaffinity(0, sizeof(one), &one) == 0);
	printf("policy %d processors %d\n", sched_getscheduler(0), CPU_COUNT(&one));
	host_say_cpu();
	return 0;
}
