/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split_stack - a recursion over many segments of a split stack (built with -fsplit-stack). Hazard: one
 * stack's frames lie in a dozen places, each reached through a function of libgcc's.
 *
 * usage: split_stack LEVELS SECONDS
 */
#include "tables.h"

__attribute__((noinline, noclone)) static int descend(int levels, double seconds)
{
	volatile char room[3000];

	room[levels % 3000] = 1;
	if (levels == 1)
		host_burn(seconds);
	else
		descend(levels - 1, seconds);
	return levels + room[levels % 3000] - 1;
}

int main(int argc, char **argv)
{
	HOST_CHECK(argc == 3);
	tables_await(host_burn, NULL, NULL);
	printf("%d\n", descend(atoi(argv[1]), atof(argv[2])));
	host_say_cpu();
	return 0;
}
