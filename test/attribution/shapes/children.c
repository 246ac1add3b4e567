/* SPDX-License-Identifier: Apache-2.0 */
/*
 * children PORT thread|fork|spawn|system|popen - a thread for each connection; every request has
 * half of its work done by a thread or process that it makes, and waits for.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve.h"

static void *burn_half(void *argument)
{
	const struct request *request = argument;

	burn(request->n, request->us / 2);
	return NULL;
}

static void by_thread(struct request *request)
{
	pthread_t id;

	pthread_create(&id, NULL, burn_half, request);
	pthread_join(id, NULL);
}

static void by_fork(struct request *request)
{
	pid_t pid = fork();

	if (pid == 0) {
		burn_half(request);
		exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void query(char *text, size_t size, const struct request *request)
{
	snprintf(text, size, "QUERY_STRING='n=%u&us=%u' exec ./burn_cgi >/dev/null", request->n,
		 request->us / 2);
}

static void by_spawn(struct request *request)
{
	char command[128], shell[] = "sh", flag[] = "-c";
	char *argv[] = {shell, flag, command, NULL};
	pid_t pid;

	query(command, sizeof(command), request);
	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) == 0)
		waitpid(pid, NULL, 0);
}

static void by_system(struct request *request)
{
	char command[128];

	query(command, sizeof(command), request);
	if (system(command) != 0)
		fputs("system failed\n", stderr);
}

static void by_popen(struct request *request)
{
	char command[128];
	FILE *pipe;

	query(command, sizeof(command), request);
	pipe = popen(command, "r");
	if (pipe)
		pclose(pipe);
}

static void (*delegate)(struct request *);

static void serve(int fd)
{
	struct request request;

	while (serve_read(fd, &request)) {
		delegate(&request);
		burn(request.n, request.us / 2);
		serve_reply(fd);
		if (request.close)
			break;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct request *);
	} ways[] = {{"thread", by_thread},
		    {"fork", by_fork},
		    {"spawn", by_spawn},
		    {"system", by_system},
		    {"popen", by_popen}};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(argv[2], ways[i].name))
			delegate = ways[i].run;
	serve_threads(serve_listen(argv[1], false), serve);
}
