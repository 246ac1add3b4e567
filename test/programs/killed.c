/* SPDX-License-Identifier: Apache-2.0 */
/*
 * killed - works, says how much, works on in another function and is killed by signal 9 there. Hazard:
 * what was sampled last is lost.
 */
#include <signal.h>

#include "host.h"

__attribute__((noinline, noclone)) static void last_work(void)
{
	host_burn(0.1);
	host_sink++;
}

int main(void)
{
	host_burn(0.3);
	last_work();
	host_say_cpu();
	kill(getpid(), SIGKILL);
	return 1;
}
