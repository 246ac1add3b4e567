/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn_loop - starts programs over and over between bursts of work, by vfork and exec, posix_spawn or
 * system(). Hazard: a tick in the child that shares its parent's memory, a timer that survives exec, a
 * signal that a spawned program inherits blocked or ignored.
 *
 * usage: spawn_loop vfork|spawn|system
 */
#include <spawn.h>
#include <sys/wait.h>

#include "host.h"

extern char **environ;

static int run_true(const char *how)
{
	char *argv[] = {"/bin/true", NULL};
	int status = -1;
	pid_t pid;

	if (strcmp(how, "system") == 0)
		return system("/bin/true");
	if (strcmp(how, "spawn") == 0) {
		HOST_CHECK(posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) == 0);
	} else {
		pid = vfork();
		HOST_CHECK(pid >= 0);
		if (pid == 0) {
			execve(argv[0], argv, environ);
			_exit(127);
		}
	}
	HOST_CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

int main(int argc, char **argv)
{
	int good = 0;

	HOST_CHECK(argc == 2);
	for (int i = 0; i < 100; i++) {
		good += run_true(argv[1]) == 0;
		host_burn(0.004);
	}
	printf("good %d\n", good);
	host_say_cpu();
	return 0;
}
