/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join.c - the abstract socket. AGENT. Whoever connects sends its message with the next call, which
 * may still be to come when the connection is seen: it is waited for briefly, then dropped.
 */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/join.h"
#include "agent/log.h"
#include "shim/feed.h"

#define JOIN_BACKLOG 512
#define JOIN_FDS 3
#define JOIN_TAKE_TRIES 50
#define JOIN_TAKE_PAUSE_NS 10000000L
#define JOIN_MESSAGE_MS 100 /* the sender is between two system calls, but may have lost its CPU */

static socklen_t address_of(const char *name, struct sockaddr_un *address)
{
	size_t n = strlen(name);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (n == 0 || n > JOIN_NAME_MAX)
		return 0;
	memcpy(address->sun_path + 1, name, n);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
}

static bool same_user(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       peer.uid == geteuid();
}

int join_listen(const char *name)
{
	struct sockaddr_un address;
	socklen_t length = address_of(name, &address);
	int fd, error;

	if (!length)
		return -EINVAL;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, length) == 0 && listen(fd, JOIN_BACKLOG) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static int send_descriptors(int fd, const struct joined *mine)
{
	struct feed_join message = {.magic = FEED_MAGIC, .version = FEED_VERSION, .pid = mine->pid};
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(JOIN_FDS * sizeof(int))];
	} control = {0};
	int fds[JOIN_FDS] = {mine->memfd, mine->pidfd, mine->maps};
	/* Their places tell what they are: without a pidfd the map has none. */
	size_t bytes = (mine->pidfd < 0 ? 1 : mine->maps < 0 ? 2 : 3) * sizeof(int);
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				.msg_controllen = CMSG_SPACE(bytes)};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(&control.header), fds, bytes);
	return sendmsg(fd, &header, MSG_NOSIGNAL) == (ssize_t)sizeof(message) ? 0 : -errno;
}

int join_hand_over(const char *name, const struct joined *mine)
{
	struct sockaddr_un address;
	socklen_t length = address_of(name, &address);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, length) != 0)
		error = -errno;
	else if (!same_user(fd))
		error = -EPERM;
	else
		error = send_descriptors(fd, mine);
	close(fd);
	return error;
}

static void take_descriptors(struct msghdr *header, struct joined *out)
{
	int *places[JOIN_FDS] = {&out->memfd, &out->pidfd, &out->maps};

	out->memfd = out->pidfd = out->maps = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (i < JOIN_FDS && *places[i] < 0)
				*places[i] = fd;
			else
				close(fd);
		}
	}
}

static void close_all(const struct joined *j)
{
	for (const int *fd = (const int[]){j->memfd, j->pidfd, j->maps, -2}; *fd != -2; fd++)
		if (*fd >= 0)
			close(*fd);
}

static int64_t now_ms(void)
{
	return (int64_t)(clock_ns(CLOCK_MONOTONIC) / 1000000U);
}

static bool receive(int fd, int64_t until_ms, struct joined *out)
{
	struct feed_join message = {0};
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(JOIN_FDS * sizeof(int))];
	} control = {0};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				.msg_controllen = sizeof(control)};
	struct pollfd sent = {.fd = fd, .events = POLLIN};
	int64_t left_ms = until_ms - now_ms();
	ssize_t n;

	poll(&sent, 1, left_ms > 0 ? (int)left_ms : 0);
	/* Who sends after this is told so; what was sent before is still there to be read. */
	shutdown(fd, SHUT_RD);
	n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0)
		return false;
	take_descriptors(&header, out);
	out->pid = message.pid;
	if (n == (ssize_t)sizeof(message) && message.magic == FEED_MAGIC &&
	    message.version == FEED_VERSION && out->memfd >= 0 && message.pid > 0)
		return true;
	close_all(out);
	return false;
}

bool join_accept(int listener, struct joined *out)
{
	/* Together, however many come that say nothing: hosts wait for the agent's heartbeat. */
	int64_t until_ms = now_ms() + JOIN_MESSAGE_MS;

	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		bool good;

		if (fd < 0)
			return false;
		good = same_user(fd) && receive(fd, until_ms, out);
		close(fd);
		if (good)
			return true;
		log_debug("turned away a connection that is not one of our processes");
	}
}

bool join_take(const char *name, const struct joined *mine, int *listener)
{
	for (int i = 0; i < JOIN_TAKE_TRIES; i++) {
		struct timespec pause = {.tv_nsec = JOIN_TAKE_PAUSE_NS};

		*listener = join_listen(name);
		if (*listener != -EADDRINUSE)
			return true;
		if (join_hand_over(name, mine) == 0)
			return false;
		/* It is just leaving, or just coming. */
		nanosleep(&pause, NULL);
	}
	/* A name that a stranger holds: serve this process alone. */
	log_debug("the service's socket is somebody else's; serving one process");
	return true;
}
