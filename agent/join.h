/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join.h - the service's socket: how further processes reach the agent that is there, and how an agent
 * that came second hands its process over to the first. Context: AGENT. Abstract, SOCK_SEQPACKET, same
 * user only (SO_PEERCRED), one message struct feed_join with the descriptors of enum feed_fd.
 */
#ifndef SPANPROF_AGENT_JOIN_H
#define SPANPROF_AGENT_JOIN_H

#include <stdbool.h>
#include <sys/types.h>

#define JOIN_NAME_MAX 100

struct joined {
	int memfd, pidfd, maps; /* pidfd and maps may be -1 */
	pid_t pid;
};

/* The listening descriptor, -EADDRINUSE if an agent has the name, or another -errno. */
int join_listen(const char *name);
/* Give the process to the agent that has the name. 0 or -errno; the descriptors stay open. */
int join_hand_over(const char *name, const struct joined *mine);
/*
 * One agent for each service: listen, or give our process to the agent that does. False: given away. A
 * listener < 0: the name is a stranger's, and only this process is served.
 */
bool join_take(const char *name, const struct joined *mine, int *listener);
/* The next process that joins; false: none is waiting. Strangers are turned away in the log. */
bool join_accept(int listener, struct joined *out);

#endif
