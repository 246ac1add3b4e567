/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_wait.c - waits for readiness of many descriptors: the event loops' turn. APP: they observe
 * before the real call, so that the wait's own cost is nobody's.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "shim/attribute.h"
#include "shim/conn.h"
#include "shim/observe.h"
#include "shim/real.h"

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
		size_t room);

/* A wait for nothing but what the thread's request itself needs is part of its work. */
static void wait_for(struct thread *t, const struct pollfd *fds, nfds_t n, bool blocks)
{
	if (!conn_all_own(t, fds, n))
		attribute_wait(t, blocks);
}

static bool is_long(const struct timespec *timeout)
{
	return !timeout || timeout->tv_sec || timeout->tv_nsec;
}

EXPORT int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
	int ready;

	OBSERVE(attribute_wait(thread, timeout != 0));
	ready = REAL(epoll_wait)(epoll, events, max, timeout);
	OBSERVE(attribute_waited(thread));
	return ready;
}

EXPORT int epoll_pwait(int epoll, struct epoll_event *events, int max, int timeout,
		       const sigset_t *mask)
{
	int ready;

	OBSERVE(attribute_wait(thread, timeout != 0));
	ready = REAL(epoll_pwait)(epoll, events, max, timeout, mask);
	OBSERVE(attribute_waited(thread));
	return ready;
}

EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	int ready;

	OBSERVE(wait_for(thread, fds, n, timeout != 0));
	ready = REAL(poll)(fds, n, timeout);
	OBSERVE(attribute_waited(thread));
	return ready;
}

EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	int ready;

	OBSERVE(wait_for(thread, fds, n, timeout != 0));
	ready = REAL(__poll_chk)(fds, n, timeout, room);
	OBSERVE(attribute_waited(thread));
	return ready;
}

EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	int ready;

	OBSERVE(wait_for(thread, fds, n, is_long(timeout)));
	ready = REAL(ppoll)(fds, n, timeout, mask);
	OBSERVE(attribute_waited(thread));
	return ready;
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		       const sigset_t *mask, size_t room)
{
	int ready;

	OBSERVE(wait_for(thread, fds, n, is_long(timeout)));
	ready = REAL(__ppoll_chk)(fds, n, timeout, mask, room);
	OBSERVE(attribute_waited(thread));
	return ready;
}

EXPORT int select(int n, fd_set *restrict readable, fd_set *restrict writable,
		  fd_set *restrict exceptional, struct timeval *restrict timeout)
{
	int ready;

	OBSERVE(attribute_wait(thread, !timeout || timeout->tv_sec || timeout->tv_usec));
	ready = REAL(select)(n, readable, writable, exceptional, timeout);
	OBSERVE(attribute_waited(thread));
	return ready;
}

EXPORT int pselect(int n, fd_set *restrict readable, fd_set *restrict writable,
		   fd_set *restrict exceptional, const struct timespec *restrict timeout,
		   const sigset_t *restrict mask)
{
	int ready;

	OBSERVE(attribute_wait(thread, is_long(timeout)));
	ready = REAL(pselect)(n, readable, writable, exceptional, timeout, mask);
	OBSERVE(attribute_waited(thread));
	return ready;
}
