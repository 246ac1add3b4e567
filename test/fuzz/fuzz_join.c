/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any message at the service's socket, with any number of descriptors: what is accepted says so,
 * and no descriptor stays open that was not handed on. The first byte says how many come along, the
 * next what to overwrite of a good message, the rest is the message's own.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/join.h"
#include "shim/feed.h"

#define DESCRIPTORS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send_to(const char *name, const void *bytes, size_t n, int passed, unsigned count)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
	} control = {{.cmsg_level = SOL_SOCKET,
		      .cmsg_type = SCM_RIGHTS,
		      .cmsg_len = CMSG_LEN(count * sizeof(int))}};
	struct iovec iov = {(void *)(uintptr_t)bytes, n};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = count ? CMSG_SPACE(count * sizeof(int)) : 0};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path + 1, name);
	for (unsigned i = 0; i < count; i++)
		memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &passed, sizeof(int));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, length) ||
	    sendmsg(fd, &message, MSG_NOSIGNAL) != (ssize_t)n)
		abort();
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int listener = -1, passed;
	static char name[64];
	uint8_t bytes[256] = {0};
	struct feed_join good = {.magic = FEED_MAGIC, .version = FEED_VERSION, .pid = 1};
	struct joined j;
	size_t at;
	int next;

	if (listener < 0) {
		snprintf(name, sizeof(name), "spanprof-fuzz-%d", (int)getpid());
		listener = join_listen(name);
		passed = memfd_create("fuzz_join", MFD_CLOEXEC);
	}
	if (size < 3 || size > 128)
		return 0;
	at = data[1] % (sizeof(good) + 1);
	memcpy(bytes, &good, sizeof(good));
	memcpy(bytes + at, data + 2, size - 2);
	send_to(name, bytes, data[1] & 128 ? sizeof(good) : size - 1, passed,
		data[0] % (DESCRIPTORS_MAX + 1));
	next = dup(passed);
	close(next);
	if (join_accept(listener, &j)) {
		if (j.pid <= 0 || fcntl(j.memfd, F_GETFD) != FD_CLOEXEC)
			abort();
		close(j.memfd);
		if (j.pidfd >= 0)
			close(j.pidfd);
		if (j.maps >= 0)
			close(j.maps);
	}
	if (dup(passed) != next)
		abort();
	close(next);
	return 0;
}
