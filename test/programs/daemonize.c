/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemonize - two forks, setsid, the descriptors closed; the parents exit at once and the daemon does
 * the work. Hazard: the process that attached is not the one that works.
 *
 * usage: daemonize RESULT-FILE [attached] (attached: the first parent is sampled before it forks)
 */
#include <fcntl.h>

#include "host.h"

__attribute__((noinline, noclone)) static void daemon_work(void)
{
	host_burn(0.6);
	host_sink++;
}

int main(int argc, char **argv)
{
	HOST_CHECK(argc > 1);
	if (argc > 2)
		host_burn(0.1);
	puts("away");
	fflush(stdout);
	if (fork())
		exit(0);
	HOST_CHECK(setsid() > 0);
	if (fork())
		_exit(0);
	close_range(0, ~0U, 0);
	HOST_CHECK(chdir("/") == 0);
	daemon_work();
	if (open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644) != 0 || dup2(0, 1) != 1)
		return 1;
	host_say_cpu();
	return 0;
}
