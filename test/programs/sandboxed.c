/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandboxed - puts itself under a seccomp filter that kills on rt_sigreturn, execve and clone. Hazard:
 * a tick under the filter is the host's end. "cold": before the first sample; "warm": after some, with
 * threads that burn; "direct": by syscall(SYS_seccomp), as libseccomp does.
 *
 * usage: sandboxed cold|warm|direct
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "host.h"

#define KILL_ON(number)                                                                              \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),                                           \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static void confine(int directly)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		KILL_ON(SYS_rt_sigreturn),
		KILL_ON(SYS_execve),
		KILL_ON(SYS_clone),
		KILL_ON(SYS_memfd_create),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	HOST_CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (directly)
		HOST_CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
				   &program) == 0);
	else
		HOST_CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void *burn(void *unused)
{
	host_burn(0.3);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t ids[2];

	HOST_CHECK(argc == 2);
	if (strcmp(argv[1], "cold") != 0) {
		for (int i = 0; i < 2; i++)
			HOST_CHECK(pthread_create(&ids[i], NULL, burn, NULL) == 0);
		host_burn(0.1);
	}
	host_say_cpu();
	confine(strcmp(argv[1], "direct") == 0);
	host_burn(0.3);
	for (int i = 0; i < 2 && strcmp(argv[1], "cold") != 0; i++)
		pthread_join(ids[i], NULL);
	puts("alive");
	return 0;
}
