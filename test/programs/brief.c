/* SPDX-License-Identifier: Apache-2.0 */
/*
 * brief - ends right after its first sample, without exit handlers. Hazard: the agent finds a process
 * that is gone, and no memory map to name the frames with.
 */
#include "host.h"

__attribute__((noinline, noclone)) static void burn_briefly(void)
{
	host_burn(0.02);
	host_sink++;
}

int main(void)
{
	burn_briefly();
	host_sink++;
	_exit(3);
}
