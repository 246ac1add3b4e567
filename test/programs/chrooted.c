/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chrooted - changes its root to an empty directory before the first sample. Hazard: neither the
 * agent nor /proc nor the place for profiles can be reached from there.
 *
 * usage: chrooted DIRECTORY
 */
#include "host.h"

int main(int argc, char **argv)
{
	HOST_CHECK(argc == 2 && chroot(argv[1]) == 0 && chdir("/") == 0);
	host_burn(0.4);
	printf("proc is %s\n", access("/proc", F_OK) == 0 ? "there" : "not there");
	host_say_cpu();
	return 0;
}
