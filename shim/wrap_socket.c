/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_socket.c - the calls that make, read, write and end descriptors. APP: each is the real call and
 * one look at it. What closes looks first: afterwards the number may already be somebody else's.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "shim/conn.h"
#include "shim/observe.h"
#include "shim/real.h"

/* Fortified twins: declared by no header that a file may include. */
ssize_t __read_chk(int fd, void *buffer, size_t n, size_t room);
ssize_t __recv_chk(int fd, void *buffer, size_t n, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t n, size_t room, int flags,
		       struct sockaddr *from, socklen_t *length);

EXPORT int accept(int fd, struct sockaddr *address, socklen_t *length)
{
	int made = REAL(accept)(fd, address, length);

	if (made >= 0)
		OBSERVE(conn_accepted(thread, made));
	return made;
}

EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	int made = REAL(accept4)(fd, address, length, flags);

	if (made >= 0)
		OBSERVE(conn_accepted(thread, made));
	return made;
}

EXPORT int socket(int domain, int type, int protocol)
{
	int made = REAL(socket)(domain, type, protocol);

	if (made >= 0)
		OBSERVE(conn_made(made));
	return made;
}

EXPORT int socketpair(int domain, int type, int protocol, int fds[2])
{
	int result = REAL(socketpair)(domain, type, protocol, fds);

	if (result == 0)
		OBSERVE(conn_made(fds[0]); conn_made(fds[1]));
	return result;
}

EXPORT int dup(int fd)
{
	int made = REAL(dup)(fd);

	if (made >= 0)
		OBSERVE(conn_made(made));
	return made;
}

EXPORT int dup2(int fd, int at)
{
	int made = REAL(dup2)(fd, at);

	if (made >= 0 && fd != at)
		OBSERVE(conn_closing(made));
	return made;
}

EXPORT int dup3(int fd, int at, int flags)
{
	int made = REAL(dup3)(fd, at, flags);

	if (made >= 0)
		OBSERVE(conn_closing(made));
	return made;
}

EXPORT int close(int fd)
{
	OBSERVE(conn_closing(fd));
	return REAL(close)(fd);
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	if (!(flags & CLOSE_RANGE_CLOEXEC))
		OBSERVE(conn_closing_range(first, last));
	return REAL(close_range)(first, last, flags);
}

EXPORT void closefrom(int first)
{
	OBSERVE(conn_closing_range(first < 0 ? 0 : (unsigned)first, ~0U));
	REAL(closefrom)(first);
}

EXPORT ssize_t read(int fd, void *buffer, size_t n)
{
	ssize_t got = REAL(read)(fd, buffer, n);

	OBSERVE(conn_received(thread, fd, buffer, got));
	return got;
}

EXPORT ssize_t __read_chk(int fd, void *buffer, size_t n, size_t room)
{
	ssize_t got = REAL(__read_chk)(fd, buffer, n, room);

	OBSERVE(conn_received(thread, fd, buffer, got));
	return got;
}

EXPORT ssize_t readv(int fd, const struct iovec *vector, int count)
{
	ssize_t got = REAL(readv)(fd, vector, count);

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
	ssize_t got = REAL(recv)(fd, buffer, n, flags);

	if (taken(flags))
		OBSERVE(conn_received(thread, fd, buffer, got));
	return got;
}

EXPORT ssize_t __recv_chk(int fd, void *buffer, size_t n, size_t room, int flags)
{
	ssize_t got = REAL(__recv_chk)(fd, buffer, n, room, flags);

	if (taken(flags))
		OBSERVE(conn_received(thread, fd, buffer, got));
	return got;
}

EXPORT ssize_t recvfrom(int fd, void *restrict buffer, size_t n, int flags,
			struct sockaddr *restrict from, socklen_t *restrict length)
{
	ssize_t got = REAL(recvfrom)(fd, buffer, n, flags, from, length);

	if (taken(flags))
		OBSERVE(conn_received(thread, fd, buffer, got));
	return got;
}

EXPORT ssize_t __recvfrom_chk(int fd, void *buffer, size_t n, size_t room, int flags,
			      struct sockaddr *from, socklen_t *length)
{
	ssize_t got = REAL(__recvfrom_chk)(fd, buffer, n, room, flags, from, length);

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
			conn_made(fd);
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
	ssize_t got = REAL(recvmsg)(fd, message, flags);

	if (taken(flags))
		OBSERVE(received_message(thread, fd, message, got));
	return got;
}

EXPORT ssize_t write(int fd, const void *buffer, size_t n)
{
	ssize_t put = REAL(write)(fd, buffer, n);

	OBSERVE(conn_sent(thread, fd, put));
	return put;
}

EXPORT ssize_t writev(int fd, const struct iovec *vector, int count)
{
	ssize_t put = REAL(writev)(fd, vector, count);

	OBSERVE(conn_sent(thread, fd, put));
	return put;
}

EXPORT ssize_t send(int fd, const void *buffer, size_t n, int flags)
{
	ssize_t put = REAL(send)(fd, buffer, n, flags);

	OBSERVE(conn_sent(thread, fd, put));
	return put;
}

EXPORT ssize_t sendto(int fd, const void *buffer, size_t n, int flags, const struct sockaddr *to,
		      socklen_t length)
{
	ssize_t put = REAL(sendto)(fd, buffer, n, flags, to, length);

	OBSERVE(conn_sent(thread, fd, put));
	return put;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t put = REAL(sendmsg)(fd, message, flags);

	OBSERVE(conn_sent(thread, fd, put));
	return put;
}

EXPORT ssize_t sendfile(int to, int from, off_t *offset, size_t n)
{
	ssize_t put = REAL(sendfile)(to, from, offset, n);

	OBSERVE(conn_sent(thread, to, put));
	return put;
}

EXPORT ssize_t sendfile64(int to, int from, off64_t *offset, size_t n)
{
	ssize_t put = REAL(sendfile64)(to, from, offset, n);

	OBSERVE(conn_sent(thread, to, put));
	return put;
}
