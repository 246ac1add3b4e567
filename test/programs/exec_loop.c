/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_loop - replaces itself N times, with work before each time. Hazard: a timer or a pending tick
 * that outlives exec kills the new image, which has no handler yet.
 *
 * usage: exec_loop N
 */
#include "host.h"

int main(int argc, char **argv)
{
	char next[16];
	int n = argc > 1 ? atoi(argv[1]) : 0;

	host_burn(0.005);
	if (n > 0) {
		snprintf(next, sizeof(next), "%d", n - 1);
		execl("/proc/self/exe", argv[0], next, NULL);
		return 1;
	}
	puts("last");
	host_say_cpu();
	return 0;
}
