/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deep_stack - burns at the bottom of a recursion. Hazard: more frames than a record holds, and more
 * stack than a copy of it does.
 *
 * usage: deep_stack LEVELS SECONDS
 */
#include "tables.h"

__attribute__((noinline, noclone)) static int descend(int levels, double seconds)
{
	volatile int keeps_the_frame = levels;

	if (levels == 1)
		host_burn(seconds);
	else
		descend(levels - 1, seconds);
	return keeps_the_frame;
}

int main(int argc, char **argv)
{
	HOST_CHECK(argc == 3);
	tables_await(host_burn, NULL, NULL);
	printf("%d\n", descend(atoi(argv[1]), atof(argv[2])));
	host_say_cpu();
	return 0;
}
