/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_io.c - the calls that move data through descriptors. APP: each is the real call and one look at
 * what it moved.
 */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "shim/attribute.h"
#include "shim/conn.h"
#include "shim/observe.h"
#include "shim/real.h"

/* Fortified twins: declared by no header that a file may include. */
ssize_t __read_chk(int fd, void *buffer, size_t n, size_t room);
ssize_t __recv_chk(int fd, void *buffer, size_t n, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t n, size_t room, int flags,
		       struct sockaddr *from, socklen_t *length);

/* It may block until the next request, which nobody may ever send. */
static inline void about_to_read(void)
{
	if (__builtin_expect(thread_self.attribution.mode == ATTRIBUTION_AFTER, 0))
		OBSERVE(attribute_tail(thread, true));
}

EXPORT ssize_t read(int fd, void *buffer, size_t n)
{
	ssize_t got;

	about_to_read();
	got = REAL(read)(fd, buffer, n);
	OBSERVE(conn_received(thread, fd, buffer, got));
	return got;
}

EXPORT ssize_t __read_chk(int fd, void *buffer, size_t n, size_t room)
{
	ssize_t got;

	about_to_read();
	got = REAL(__read_chk)(fd, buffer, n, room);
	OBSERVE(conn_received(thread, fd, buffer, got));
	return got;
}

EXPORT ssize_t readv(int fd, const struct iovec *vector, int count)
{
	ssize_t got;

	about_to_read();
	got = REAL(readv)(fd, vector, count);
	OBSERVE(conn_received_vector(thread, fd, vector, (size_t)count, got));
	return got;
}

/* What is only peeked at will come again. */
static bool taken(int flags)
{
	return !(flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE));
}

EXPORT ssize_t recv(int fd, void *buffer, size_t n, int flags)
{
	ssize_t got;

	about_to_read();
	got = REAL(recv)(fd, buffer, n, flags);
	if (taken(flags))
		OBSERVE(conn_received(thread, fd, buffer, got));
	return got;
}

EXPORT ssize_t __recv_chk(int fd, void *buffer, size_t n, size_t room, int flags)
{
	ssize_t got;

	about_to_read();
	got = REAL(__recv_chk)(fd, buffer, n, room, flags);
	if (taken(flags))
		OBSERVE(conn_received(thread, fd, buffer, got));
	return got;
}

EXPORT ssize_t recvfrom(int fd, void *restrict buffer, size_t n, int flags,
			struct sockaddr *restrict from, socklen_t *restrict length)
{
	ssize_t got;

	about_to_read();
	got = REAL(recvfrom)(fd, buffer, n, flags, from, length);
	if (taken(flags))
		OBSERVE(conn_received(thread, fd, buffer, got));
	return got;
}

EXPORT ssize_t __recvfrom_chk(int fd, void *buffer, size_t n, size_t room, int flags,
			      struct sockaddr *from, socklen_t *length)
{
	ssize_t got;

	about_to_read();
	got = REAL(__recvfrom_chk)(fd, buffer, n, room, flags, from, length);
	if (taken(flags))
		OBSERVE(conn_received(thread, fd, buffer, got));
	return got;
}

/* Descriptors that were passed to us are new, whatever had their numbers before. */
static void passed_descriptors(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i + sizeof(int) <= bytes; i += sizeof(int)) {
			int fd;

			__builtin_memcpy(&fd, CMSG_DATA(c) + i, sizeof(fd));
			conn_passed(fd);
		}
	}
}

static void received_message(struct thread *t, int fd, struct msghdr *message, ssize_t got)
{
	if (got >= 0 && message->msg_controllen)
		passed_descriptors(message);
	conn_received_vector(t, fd, message->msg_iov, message->msg_iovlen, got);
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t got;

	about_to_read();
	got = REAL(recvmsg)(fd, message, flags);
	if (taken(flags))
		OBSERVE(received_message(thread, fd, message, got));
	return got;
}

EXPORT ssize_t write(int fd, const void *buffer, size_t n)
{
	ssize_t put = REAL(write)(fd, buffer, n);

	OBSERVE(conn_sent(thread, fd, buffer, put));
	return put;
}

EXPORT ssize_t writev(int fd, const struct iovec *vector, int count)
{
	ssize_t put = REAL(writev)(fd, vector, count);

	OBSERVE(conn_sent_vector(thread, fd, vector, (size_t)count, put));
	return put;
}

EXPORT ssize_t send(int fd, const void *buffer, size_t n, int flags)
{
	ssize_t put = REAL(send)(fd, buffer, n, flags);

	OBSERVE(conn_sent(thread, fd, buffer, put));
	return put;
}

EXPORT ssize_t sendto(int fd, const void *buffer, size_t n, int flags, const struct sockaddr *to,
		      socklen_t length)
{
	ssize_t put = REAL(sendto)(fd, buffer, n, flags, to, length);

	OBSERVE(conn_sent(thread, fd, buffer, put));
	return put;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t put = REAL(sendmsg)(fd, message, flags);

	OBSERVE(conn_sent_vector(thread, fd, message->msg_iov, message->msg_iovlen, put));
	return put;
}

EXPORT ssize_t sendfile(int to, int from, off_t *offset, size_t n)
{
	ssize_t put = REAL(sendfile)(to, from, offset, n);

	OBSERVE(conn_sent(thread, to, NULL, put));
	return put;
}

EXPORT ssize_t sendfile64(int to, int from, off64_t *offset, size_t n)
{
	ssize_t put = REAL(sendfile64)(to, from, offset, n);

	OBSERVE(conn_sent(thread, to, NULL, put));
	return put;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
		    struct timespec *timeout)
{
	int got;

	about_to_read();
	got = REAL(recvmmsg)(fd, messages, count, flags, timeout);
	for (int i = 0; i < got && taken(flags); i++)
		OBSERVE(received_message(thread, fd, &messages[i].msg_hdr, messages[i].msg_len));
	return got;
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	int put = REAL(sendmmsg)(fd, messages, count, flags);

	for (int i = 0; i < put; i++)
		OBSERVE(conn_sent_vector(thread, fd, messages[i].msg_hdr.msg_iov,
					 messages[i].msg_hdr.msg_iovlen, messages[i].msg_len));
	return put;
}

EXPORT ssize_t splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t n,
		      unsigned flags)
{
	ssize_t moved = REAL(splice)(from, from_offset, to, to_offset, n, flags);

	OBSERVE(conn_drained(thread, from, moved); conn_sent(thread, to, NULL, moved));
	return moved;
}
