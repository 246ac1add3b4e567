/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop_user - gives up root before the first sample, as daemons do. Hazard: the process is no longer
 * dumpable, its /proc files belong to root, and an agent that runs as the new user may not read them.
 */
#include <grp.h>

#include "host.h"

int main(void)
{
	HOST_CHECK(setgroups(0, NULL) == 0);
	HOST_CHECK(setgid(65534) == 0);
	HOST_CHECK(setuid(65534) == 0);
	host_burn(0.4);
	printf("uid %d\n", (int)getuid());
	host_say_cpu();
	return 0;
}
