/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errno_kept - looks at errno after calls that fail and calls that succeed, while it is sampled.
 * Hazard: a wrapper or a handler leaves its own errno behind.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "host.h"

static int pair[2];

#define FAILS(call, expected)                                                                        \
	do {                                                                                         \
		errno = 0;                                                                           \
		HOST_CHECK((call) == -1 && errno == (expected));                                     \
	} while (0)

#define SUCCEEDS(call)                                                                               \
	do {                                                                                         \
		errno = 4095;                                                                        \
		HOST_CHECK((call) >= 0 && errno == 4095);                                            \
	} while (0)

static void all_calls(void)
{
	char byte = 0;
	struct iovec vector = {&byte, 1};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	struct pollfd ready = {.fd = pair[1], .events = POLLIN};
	struct epoll_event event;

	FAILS(read(-1, &byte, 1), EBADF);
	FAILS(read(pair[1], &byte, 1), EAGAIN);
	FAILS(recv(pair[1], &byte, 1, 0), EAGAIN);
	FAILS(recvmsg(pair[1], &message, 0), EAGAIN);
	FAILS(readv(-1, &vector, 1), EBADF);
	FAILS(write(-1, &byte, 1), EBADF);
	FAILS(writev(-1, &vector, 1), EBADF);
	FAILS(send(-1, &byte, 1, 0), EBADF);
	FAILS(sendmsg(-1, &message, 0), EBADF);
	FAILS(accept(-1, NULL, NULL), EBADF);
	FAILS(accept4(pair[0], NULL, NULL, 0), EINVAL);
	FAILS(close(-1), EBADF);
	FAILS(dup(-1), EBADF);
	FAILS(dup2(-1, 5), EBADF);
	FAILS(dup3(pair[0], pair[0], 0), EINVAL);
	FAILS(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(epoll_wait(-1, &event, 1, 0), EBADF);
	FAILS(close_range(10, 5, 0), EINVAL);
	FAILS(syscall(-1), ENOSYS);
	FAILS(syscall(SYS_unshare, -1L), EINVAL);
	FAILS(prctl(-1), EINVAL);
	FAILS(sigaction(SIGKILL, &(struct sigaction){.sa_handler = SIG_IGN}, NULL), EINVAL);
	FAILS(sigprocmask(77, &(sigset_t){0}, NULL), EINVAL);
	SUCCEEDS(write(pair[0], &byte, 1));
	SUCCEEDS(poll(&ready, 1, 0));
	SUCCEEDS(read(pair[1], &byte, 1));
	SUCCEEDS(getppid());
	SUCCEEDS(syscall(SYS_getppid));
}

int main(void)
{
	double end;
	int rounds = 0;

	HOST_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	end = host_clock(CLOCK_THREAD_CPUTIME_ID) + 0.5;
	for (; host_clock(CLOCK_THREAD_CPUTIME_ID) < end; rounds++)
		all_calls();
	/* The handler's own: nothing but ticks between these two. */
	errno = 4095;
	host_burn(0.1);
	HOST_CHECK(errno == 4095 && rounds > 0);
	puts("kept");
	host_say_cpu();
	return 0;
}
