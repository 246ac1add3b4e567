/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordinary.c - the agent's first act: to be an ordinary program, whatever its host was. AGENT.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "agent/ordinary.h"

#define ORDINARY_NICE 5

/* The host's mask, dispositions, limits and niceness came along; none of them is ours. */
int ordinary_become(void)
{
	struct rlimit limit;
	sigset_t mine;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	/* In one step: all came blocked, and a SIGTERM that is pending already must not end us. */
	sigemptyset(&mine);
	sigaddset(&mine, SIGTERM);
	sigaddset(&mine, SIGINT);
	sigprocmask(SIG_SETMASK, &mine, NULL);
	for (const int *r = (const int[]){RLIMIT_CPU, RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, -1};
	     *r >= 0; r++) {
		if (getrlimit((__rlimit_resource_t)*r, &limit) == 0) {
			limit.rlim_cur = limit.rlim_max;
			setrlimit((__rlimit_resource_t)*r, &limit);
		}
	}
	setpriority(PRIO_PROCESS, 0, ORDINARY_NICE);
	prctl(PR_SET_NAME, "spanprof-agent");
	umask(022);
	return signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
}
