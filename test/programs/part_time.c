/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part_time - burns a fifth of the time for so many seconds, or until a file is there: a host to do
 * something to meanwhile. Says every second how much CPU time it has used.
 *
 * usage: part_time SECONDS [FILE]
 */
#include "host.h"

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1, start = host_clock(CLOCK_MONOTONIC), now;
	int said = 0;

	while ((now = host_clock(CLOCK_MONOTONIC) - start) < seconds &&
	       (argc < 3 || access(argv[2], F_OK) != 0)) {
		host_burn(0.01);
		host_sleep(0.04);
		if ((int)now > said) {
			said = (int)now;
			printf("figure cpu_at %.4f\n", host_clock(CLOCK_PROCESS_CPUTIME_ID));
			fflush(stdout);
		}
	}
	puts("done");
	host_say_cpu();
	return 0;
}
