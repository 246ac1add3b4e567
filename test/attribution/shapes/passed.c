/* SPDX-License-Identifier: Apache-2.0 */
/* passed PORT - a process that accepts and passes each connection by SCM_RIGHTS to one of two
 * others. */
#include <signal.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

#define WORKERS 2

static void pass(int channel, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
	struct iovec data = {&byte, 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = space,
				 .msg_controllen = sizeof(space)};
	struct cmsghdr *control = CMSG_FIRSTHDR(&message);

	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(control), &fd, sizeof(fd));
	sendmsg(channel, &message, 0);
	close(fd);
}

static int take(int channel)
{
	char space[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = {&byte, 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = space,
				 .msg_controllen = sizeof(space)};
	int fd = -1;

	if (recvmsg(channel, &message, 0) <= 0)
		_exit(0);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void *serve(void *argument)
{
	int fd = (int)(long)argument;
	struct request request;

	while (serve_read(fd, &request)) {
		burn(request.n, request.us);
		serve_reply(fd);
		if (request.close)
			break;
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = serve_listen(argv[1], false), channel[WORKERS][2];

	for (int i = 0; i < WORKERS; i++) {
		socketpair(AF_UNIX, SOCK_STREAM, 0, channel[i]);
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			close(listener);
			for (;;) {
				int fd = take(channel[i][1]);
				pthread_t id;

				pthread_create(&id, NULL, serve, (void *)(long)fd);
				pthread_detach(id);
			}
		}
		close(channel[i][1]);
	}
	for (unsigned turn = 0;; turn++)
		pass(channel[turn % WORKERS][0], accept(listener, NULL, NULL));
}
