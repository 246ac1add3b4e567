/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raise_sigprof - sends itself SIGPROF without a handler for it. Hazard: what ends the host bare, or
 * is ignored because its parent ignored it, does something else. "exec": in a program started by it.
 *
 * usage: raise_sigprof [SECONDS-BEFORE] [exec]
 */
#include <signal.h>

#include "host.h"

int main(int argc, char **argv)
{
	struct sigaction seen;

	if (argc > 1)
		host_burn(atof(argv[1]));
	if (argc > 2) {
		execl("/proc/self/exe", argv[0], argv[1], NULL);
		return 1;
	}
	HOST_CHECK(sigaction(SIGPROF, NULL, &seen) == 0);
	printf("disposition %s\n", seen.sa_handler == SIG_DFL   ? "default"
				   : seen.sa_handler == SIG_IGN ? "ignore"
								: "handler");
	host_say_cpu();
	raise(SIGPROF);
	puts("survived");
	return 0;
}
