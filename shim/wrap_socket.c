/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_socket.c - the calls that make and end descriptors. APP: each is the real call and one look at
 * it. What closes looks first: afterwards the number may already be somebody else's.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shim/attribute.h"
#include "shim/conn.h"
#include "shim/conn_table.h"
#include "shim/observe.h"
#include "shim/real.h"

EXPORT int accept(int fd, struct sockaddr *address, socklen_t *length)
{
	int made;

	/* Before: it may block for long. */
	OBSERVE(attribute_tail(thread, false));
	made = REAL(accept)(fd, address, length);
	if (made >= 0)
		OBSERVE(conn_accepted(thread, made));
	return made;
}

EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	int made;

	/* Before: it may block for long. */
	OBSERVE(attribute_tail(thread, false));
	made = REAL(accept4)(fd, address, length, flags);
	if (made >= 0)
		OBSERVE(conn_accepted(thread, made));
	return made;
}

EXPORT int socket(int domain, int type, int protocol)
{
	int made = REAL(socket)(domain, type, protocol);

	if (made >= 0)
		OBSERVE(conn_socket(thread, made));
	return made;
}

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	OBSERVE(conn_connecting(thread, fd));
	return REAL(connect)(fd, address, length);
}

EXPORT int socketpair(int domain, int type, int protocol, int fds[2])
{
	int result = REAL(socketpair)(domain, type, protocol, fds);

	if (result == 0)
		OBSERVE(conn_pipe(thread, fds[0]); conn_pipe(thread, fds[1]));
	return result;
}

EXPORT int pipe(int fds[2])
{
	int result = REAL(pipe)(fds);

	if (result == 0)
		OBSERVE(conn_pipe(thread, fds[0]); conn_pipe(thread, fds[1]));
	return result;
}

EXPORT int pipe2(int fds[2], int flags)
{
	int result = REAL(pipe2)(fds, flags);

	if (result == 0)
		OBSERVE(conn_pipe(thread, fds[0]); conn_pipe(thread, fds[1]));
	return result;
}

EXPORT int eventfd(unsigned count, int flags)
{
	int made = REAL(eventfd)(count, flags);

	if (made >= 0)
		OBSERVE(conn_pipe(thread, made));
	return made;
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
	OBSERVE(conn_close(thread, fd));
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
