/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outlives PORT - sixteen threads that accept, answer and close before most of the work is done.
 * The client sends the next request while the one before is still worked on.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

#define THREADS 16

static int listener;

static void *work(void *unused)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		struct request request = {0};

		if (fd < 0)
			continue;
		if (serve_read(fd, &request)) {
			burn(request.n, request.us / 4);
			send(fd,
			     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: "
			     "close\r\n\r\ndone\n",
			     62, MSG_NOSIGNAL);
		}
		close(fd);
		burn(request.n, request.us * 3 / 4);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t id;

	listener = serve_listen(argv[1], false);
	for (int i = 1; i < THREADS; i++)
		pthread_create(&id, NULL, work, NULL);
	work(NULL);
}
