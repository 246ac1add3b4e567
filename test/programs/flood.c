/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flood serve PORT - a thread for each connection, answers whatever is asked, until it is killed.
 * flood ask PORT COUNT traces|paths|both - asks COUNT times over four connections; what varies is random
 *	each time. Of both and paths every tenth path is the same real one. Says how many were answered.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 4
#define REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct sockaddr_in address = {.sin_family = AF_INET};
static unsigned long count;
static int traces, paths;

static void *serve(void *argument)
{
	int fd = (int)(intptr_t)argument;
	volatile unsigned sum = 0;
	char text[1024];
	ssize_t n;

	/* The client sends each head whole, and the next after the answer. */
	while ((n = recv(fd, text, sizeof(text), 0)) > 0) {
		for (unsigned i = 0; i < 5000; i++)
			sum += (unsigned char)text[i % (unsigned)n];
		send(fd, REPLY, sizeof(REPLY) - 1, MSG_NOSIGNAL);
	}
	close(fd);
	return NULL;
}

static int server(void)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 16))
		return 1;
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		pthread_t thread;

		if (fd >= 0 && pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
			pthread_detach(thread);
	}
}

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static int head(char *text, size_t room, uint64_t *seed, unsigned long i)
{
	char path[32] = "/shop/cart";
	uint64_t trace = 1, span = 1;

	if (paths && i % 10) {
		uint64_t letters = next(seed);

		for (int k = 0; k < 12; k++, letters /= 26)
			path[1 + k] = (char)('a' + letters % 26);
		path[13] = '\0';
	}
	if (traces) {
		trace = next(seed);
		span = next(seed);
	}
	return snprintf(text, room, "GET %s HTTP/1.1\r\nHost: flood\r\ntraceparent: 00-%016lx%016lx-%016lx-01"
				    "\r\n\r\n", path, trace, ~trace, span);
}

static void *ask(void *argument)
{
	unsigned long mine = (unsigned long)(intptr_t)argument, answered = 0;
	uint64_t seed = 88172645463325252ULL * (2 * mine + 1);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[256], reply[256];

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return NULL;
	for (unsigned long i = mine; i < count; i += CONNECTIONS, answered++) {
		int n = head(text, sizeof(text), &seed, i / CONNECTIONS);

		if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n ||
		    recv(fd, reply, sizeof(reply), 0) <= 0)
			break;
	}
	close(fd);
	return (void *)answered;
}

int main(int argc, char **argv)
{
	pthread_t threads[CONNECTIONS];
	unsigned long answered = 0;

	if (argc < 3)
		return 2;
	address.sin_port = htons((uint16_t)atoi(argv[2]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!strcmp(argv[1], "serve"))
		return server();
	if (argc < 5)
		return 2;
	count = strtoul(argv[3], NULL, 10);
	traces = strcmp(argv[4], "paths") != 0;
	paths = strcmp(argv[4], "traces") != 0;
	for (intptr_t i = 0; i < CONNECTIONS; i++)
		pthread_create(&threads[i], NULL, ask, (void *)i);
	for (int i = 0; i < CONNECTIONS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		answered += (unsigned long)result;
	}
	printf("answered %lu\n", answered);
	return answered != count;
}
