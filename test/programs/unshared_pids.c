/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unshared_pids - unshares its pid namespace before the first sample, through the C library or by an
 * instruction of its own. Hazard: the first process cloned afterwards is the new namespace's init, and
 * when that was a profiler's helper, no fork succeeds any more.
 *
 * usage: unshared_pids wrapper|syscall|raw
 */
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "host.h"

static long raw_unshare(long flags)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result)
			 : "a"(SYS_unshare), "D"(flags) : "rcx", "r11", "memory");
	return result;
}

__attribute__((noinline, noclone)) static void child_work(void)
{
	host_burn(0.3);
	host_sink++;
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	HOST_CHECK(argc == 2);
	if (strcmp(argv[1], "wrapper") == 0)
		HOST_CHECK(unshare(CLONE_NEWPID) == 0);
	else if (strcmp(argv[1], "syscall") == 0)
		HOST_CHECK(syscall(SYS_unshare, CLONE_NEWPID) == 0);
	else
		HOST_CHECK(raw_unshare(CLONE_NEWPID) == 0);
	host_burn(0.3);
	pid = fork();
	HOST_CHECK(pid >= 0);
	if (pid == 0) {
		printf("child is %d\n", (int)getpid());
		child_work();
		host_say_cpu();
		exit(5);
	}
	HOST_CHECK(waitpid(pid, &status, 0) == pid);
	printf("child ended with %d\n", WEXITSTATUS(status));
	host_burn(0.2);
	host_say_cpu();
	return 0;
}
