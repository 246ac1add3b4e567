/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_limit - RLIMIT_NPROC is reached (for users other than root). Hazard: no agent can be
 * started; a profiler that does not look keeps sampling for nobody. With "later", the limit is lifted
 * again after a while, and fork works.
 *
 * usage: process_limit SECONDS [later]
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include "host.h"

static int try_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(0);
	HOST_CHECK(waitpid(pid, NULL, 0) == pid);
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	int later = argc > 2;

	HOST_CHECK(argc > 1 && getrlimit(RLIMIT_NPROC, &limit) == 0);
	limit.rlim_cur = 0;
	if (!later)
		limit.rlim_max = 0;
	HOST_CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
	host_burn(later ? 0.3 : atof(argv[1]));
	printf("fork %s\n", strerror(-try_fork()));
	if (later) {
		limit.rlim_cur = limit.rlim_max;
		HOST_CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
		host_burn(atof(argv[1]));
		printf("fork %s\n", strerror(-try_fork()));
	}
	host_say_cpu();
	return 0;
}
