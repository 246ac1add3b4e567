/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach_join.c - M's way to the agent that the service may have already: an abstract socket named by
 * user and configuration, one message with the region and what belongs to it (agent/join.c is the other
 * end). HANDLER: raw system calls on M's own descriptors, never blocking.
 */
#include <sys/socket.h>

#include "shim/attach_join.h"
#include "shim/feed.h"
#include "shim/raw.h"
#include "shim/sigsafe.h"

#define JOIN_NAME_PREFIX "spanprof-"

char *attach_put_text(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	*to = 0;
	return to;
}

char *attach_put_number(char *to, uint64_t n, unsigned base, unsigned width)
{
	char digits[24];
	unsigned count = 0;

	do
		digits[count++] = "0123456789abcdef"[n % base];
	while ((n /= base) || count < width);
	while (count)
		*to++ = digits[--count];
	*to = 0;
	return to;
}

/* Abstract, named by user and configuration: one agent for each. */
void attach_address_make(struct attach_address *a, uint64_t config_hash)
{
	char *end;

	a->address.sun_family = AF_UNIX;
	a->address.sun_path[0] = 0;
	end = attach_put_text(a->address.sun_path + 1, JOIN_NAME_PREFIX);
	end = attach_put_number(end, (uint64_t)raw0(SYS_geteuid), 10, 1);
	*end++ = '-';
	end = attach_put_number(end, config_hash, 16, 16);
	a->length = (uint32_t)(end - (char *)&a->address);
}

/* The name could be taken by anyone; only an agent of our own user gets our memory. */
static bool trusted_peer(long fd)
{
	struct ucred peer = {0};
	socklen_t length = sizeof(peer);

	return raw5(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       peer.uid == (uid_t)raw0(SYS_geteuid);
}

static bool send_join(long fd, int32_t pid, bool with_maps)
{
	struct feed_join join = {.magic = FEED_MAGIC, .version = FEED_VERSION, .pid = pid};
	struct iovec iov = {.iov_base = &join, .iov_len = sizeof(join)};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} control = {0};
	int fds[3] = {FEED_FD_REGION, FEED_FD_HOST, FEED_FD_MAPS};
	size_t bytes = (with_maps ? 3 : 2) * sizeof(int);
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				 .msg_controllen = CMSG_SPACE(bytes)};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(bytes);
	for (size_t i = 0; i < bytes / sizeof(int); i++)
		((int *)CMSG_DATA(&control.header))[i] = fds[i];
	return raw3(SYS_sendmsg, fd, &message, MSG_NOSIGNAL) == (long)sizeof(join);
}

bool attach_join(const struct attach_address *a, int32_t pid, bool with_maps)
{
	long fd = raw3(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool joined;

	if (fd < 0)
		return false;
	joined = raw3(SYS_connect, fd, &a->address, a->length) == 0 &&
		 trusted_peer(fd) && send_join(fd, pid, with_maps);
	raw1(SYS_close, fd);
	return joined;
}
