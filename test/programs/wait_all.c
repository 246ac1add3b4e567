/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait_all - waits until it has no child any more, as a subreaper or, if it is started so, as pid 1.
 * Hazard: an agent that is an orphan becomes such a host's child, and the wait never ends, since the
 * agent waits for the host.
 *
 * usage: wait_all [subreaper]
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "host.h"

int main(int argc, char **argv)
{
	int subreaper = 0, n = 0, status;
	pid_t pid;

	if (argc > 1)
		HOST_CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	host_burn(0.3);
	pid = fork();
	HOST_CHECK(pid >= 0);
	if (pid == 0)
		_exit(7);
	host_burn(0.1);
	while ((pid = wait(&status)) > 0) {
		n++;
		printf("child ended with %d\n", WEXITSTATUS(status));
	}
	HOST_CHECK(errno == ECHILD);
	HOST_CHECK(prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0);
	printf("waited for %d; subreaper %d\n", n, subreaper);
	host_say_cpu();
	return 0;
}
