/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock_loop - asks for the time and does nothing else. Hazard: most of its samples are in the vDSO,
 * which is in no file.
 *
 * usage: clock_loop SECONDS
 */
#include "tables.h"

__attribute__((noinline, noclone)) static unsigned long ask(double seconds)
{
	double end = host_clock(CLOCK_THREAD_CPUTIME_ID) + seconds;
	struct timespec now;
	unsigned long odd = 0;

	while (host_clock(CLOCK_THREAD_CPUTIME_ID) < end) {
		for (int i = 0; i < 2000; i++) {
			clock_gettime(CLOCK_MONOTONIC, &now);
			odd += (unsigned long)now.tv_nsec & 1;
		}
	}
	return odd;
}

int main(int argc, char **argv)
{
	HOST_CHECK(argc == 2);
	tables_await(host_burn, NULL, NULL);
	host_sink = ask(atof(argv[1]));
	host_burn(0);
	host_say_cpu();
	return 0;
}
