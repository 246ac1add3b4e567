/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork_storm - forks children that burn, each in a function of its own, and then many short ones, while
 * it burns itself. Hazard: a child writes into its parent's ring, attaches an agent of its own, or is
 * not seen at all.
 *
 * usage: fork_storm libc|raw (raw: the kernel's fork, which no hook sees)
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "host.h"

#define CHILD(n)                                                                                     \
	__attribute__((noinline, noclone)) static void child_##n(void)                               \
	{                                                                                            \
		host_burn(0.1);                                                                      \
		host_sink += n;                                                                      \
	}
CHILD(0) CHILD(1) CHILD(2) CHILD(3) CHILD(4) CHILD(5)

static void (*const children[])(void) = {child_0, child_1, child_2, child_3, child_4, child_5};

static pid_t start(int raw, void (*work)(void))
{
	pid_t pid = raw ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();

	HOST_CHECK(pid >= 0);
	if (pid)
		return pid;
	/* A call that a child without a hook is noticed by. */
	HOST_CHECK(write(STDOUT_FILENO, "", 0) == 0);
	if (work)
		work();
	host_say_cpu();
	_exit(0);
}

int main(int argc, char **argv)
{
	int raw = argc > 1 && strcmp(argv[1], "raw") == 0, ended = 0, status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	host_burn(0.1);
	for (int i = 0; i < 6; i++)
		start(raw, children[i]);
	for (int i = 0; i < 100; i++) {
		start(raw, NULL);
		host_burn(0.002);
	}
	while (wait(&status) > 0) {
		HOST_CHECK(status == 0);
		ended++;
	}
	printf("children %d\n", ended);
	host_say_cpu();
	return 0;
}
