/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

int serve_listen(const char *port, bool nonblocking)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(port)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0),
	    on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 512) != 0) {
		perror("listen");
		exit(1);
	}
	return fd;
}

bool serve_parse(const char *text, struct request *request)
{
	const char *query = strstr(text, "?n=");

	if (!strstr(text, "\r\n\r\n"))
		return false;
	*request = (struct request){.close = strstr(text, "\r\nConnection: close") != NULL};
	if (query)
		sscanf(query, "?n=%u&us=%u", &request->n, &request->us);
	return true;
}

bool serve_read(int fd, struct request *request)
{
	char text[HEAD_MAX];
	size_t n = 0;

	do {
		ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);

		if (got <= 0)
			return false;
		n += (size_t)got;
		text[n] = 0;
	} while (!serve_parse(text, request));
	return true;
}

void serve_reply(int fd)
{
	send(fd, REPLY, REPLY_SIZE, MSG_NOSIGNAL);
}

struct thread {
	void (*run)(int);
	int fd;
};

static void *run_thread(void *argument)
{
	struct thread thread = *(struct thread *)argument;

	free(argument);
	thread.run(thread.fd);
	return NULL;
}

void serve_threads(int listener, void (*run)(int fd))
{
	for (;;) {
		struct thread *thread = malloc(sizeof(*thread));
		pthread_t id;

		*thread = (struct thread){run, accept(listener, NULL, NULL)};
		if (thread->fd < 0 || pthread_create(&id, NULL, run_thread, thread) != 0) {
			free(thread);
			continue;
		}
		pthread_detach(id);
	}
}
