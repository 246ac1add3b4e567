/* SPDX-License-Identifier: Apache-2.0 */
/*
 * no_children - has no child and looks for some: a SIGCHLD handler, SIGCHLD ignored, or a thread that
 * polls waitpid(-1) or waitid(P_ALL). Hazard: it finds a child of the profiler's.
 *
 * usage: no_children handler|ignore|waitpid|waitid
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "host.h"

static _Atomic int stop, found, signals;
static const char *mode;

static void count(int signo)
{
	signals++;
}

static void *look(void *unused)
{
	siginfo_t info;

	while (!stop) {
		int got = strcmp(mode, "waitid") == 0 ? waitid(P_ALL, 0, &info, WEXITED | WNOHANG)
						      : waitpid(-1, NULL, WNOHANG);

		found += got >= 0 || errno != ECHILD;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t looker;

	HOST_CHECK(argc == 2);
	mode = argv[1];
	signal(SIGCHLD, strcmp(mode, "ignore") == 0 ? SIG_IGN : count);
	if (mode[0] == 'w')
		HOST_CHECK(pthread_create(&looker, NULL, look, NULL) == 0);
	host_burn(0.4);
	stop = 1;
	if (mode[0] == 'w')
		pthread_join(looker, NULL);
	printf("found %d signals %d\n", found, signals);
	host_say_cpu();
	return 0;
}
