/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of a few lines for tests of the uploader: a thread on a loopback port that answers each
 * push by the next step of a script (the last one repeats) and keeps what it was sent. Questions
 * for the version get an answer of their own and are no step.
 */
#ifndef SPANPROF_TEST_INGEST_SERVER_H
#define SPANPROF_TEST_INGEST_SERVER_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_HUNG_MAX 16
#define SERVER_STEPS_MAX 16
#define SERVER_REQUEST_MAX (1 << 16) /* bytes kept of a request */

enum step_kind {
	STEP_ANSWER,
	STEP_HANG,
	STEP_CLOSE_UNREAD,
	STEP_CLOSE_READ,
};

struct step {
	enum step_kind kind;
	int status;
	const char *header; /* with line break, or NULL */
	const char *body;
};

static inline struct step answer(int status, const char *body)
{
	return (struct step){.kind = STEP_ANSWER, .status = status, .body = body};
}

static inline struct step redirect(const char *location)
{
	return (struct step){.kind = STEP_ANSWER, .status = 307, .header = location};
}

static inline struct step misbehave(enum step_kind kind)
{
	return (struct step){.kind = kind};
}

struct server {
	pthread_t thread;
	int listener, wake[2];
	int hung[SERVER_HUNG_MAX];
	unsigned n_hung;
	pthread_mutex_t lock; /* of all below */
	struct step steps[SERVER_STEPS_MAX];
	unsigned n_steps, pushes, probes;
	struct step probe;
	char last[SERVER_REQUEST_MAX]; /* the last push, terminated */
	size_t last_len;
};

/* Reads the head and as much of the body as the head announces. */
static inline bool server_read(int fd, char *buf, size_t cap, size_t *kept)
{
	size_t total = 0, need = 0;
	char sink[65536];
	ssize_t n;

	*kept = 0;
	while (!need || total < need) {
		char *to = *kept + 1 < cap ? buf + *kept : sink;
		const char *end, *length;

		n = read(fd, to, to == sink ? sizeof(sink) : cap - 1 - *kept);
		if (n <= 0)
			return false;
		total += (size_t)n;
		if (to != sink)
			*kept += (size_t)n;
		buf[*kept] = '\0';
		end = strstr(buf, "\r\n\r\n");
		length = strcasestr(buf, "content-length:");
		if (!need && end)
			need = (size_t)(end + 4 - buf) +
			       (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
	}
	return true;
}

static inline void server_answer(struct server *s, int fd, const struct step *step)
{
	const char *body = step->body ? step->body : "";
	char text[8192];
	int n;

	if (step->kind == STEP_HANG && s->n_hung < SERVER_HUNG_MAX) {
		s->hung[s->n_hung++] = fd;
		return;
	}
	if (step->kind == STEP_ANSWER) {
		n = snprintf(text, sizeof(text), "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s",
			     step->status, step->header ? step->header : "", strlen(body), body);
		if (send(fd, text, (size_t)n, MSG_NOSIGNAL) < 0)
			perror("server");
	}
	close(fd);
}

static inline void server_serve(struct server *s, int fd)
{
	static char request[SERVER_REQUEST_MAX];
	struct step step;
	size_t len;
	bool probe;

	/* Enough to tell the two apart without taking anything off the socket. */
	if (recv(fd, request, 4, MSG_PEEK | MSG_WAITALL) < 4) {
		close(fd);
		return;
	}
	probe = memcmp(request, "GET ", 4) == 0;
	pthread_mutex_lock(&s->lock);
	if (probe)
		step = s->probe;
	else
		step = s->steps[s->pushes < s->n_steps ? s->pushes : s->n_steps - 1];
	if (step.kind != STEP_CLOSE_UNREAD && server_read(fd, request, sizeof(request), &len) &&
	    !probe) {
		memcpy(s->last, request, len + 1);
		s->last_len = len;
	}
	s->probes += probe;
	s->pushes += !probe;
	pthread_mutex_unlock(&s->lock);
	server_answer(s, fd, &step);
}

static inline void *server_run(void *arg)
{
	struct server *s = arg;
	struct pollfd fds[2] = {{.fd = s->listener, .events = POLLIN},
				{.fd = s->wake[0], .events = POLLIN}};

	while (poll(fds, 2, -1) >= 0 && !fds[1].revents) {
		int fd = accept(s->listener, NULL, NULL);

		if (fd >= 0)
			server_serve(s, fd);
	}
	return NULL;
}

/* Port 0: any. Returns the port. */
static inline unsigned server_start(struct server *s, unsigned port, const struct step *steps,
				    unsigned n)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	socklen_t len = sizeof(a);
	int one = 1;

	memset(s, 0, sizeof(*s));
	memcpy(s->steps, steps, n * sizeof(*steps));
	s->n_steps = n;
	s->probe = (struct step){.status = 404};
	pthread_mutex_init(&s->lock, NULL);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s->listener, (struct sockaddr *)&a, len) || listen(s->listener, 64) ||
	    pipe(s->wake) || getsockname(s->listener, (struct sockaddr *)&a, &len) ||
	    pthread_create(&s->thread, NULL, server_run, s))
		abort();
	return ntohs(a.sin_port);
}

static inline void server_stop(struct server *s)
{
	if (write(s->wake[1], "", 1) != 1)
		abort();
	pthread_join(s->thread, NULL);
	for (unsigned i = 0; i < s->n_hung; i++)
		close(s->hung[i]);
	close(s->listener);
	close(s->wake[0]);
	close(s->wake[1]);
	pthread_mutex_destroy(&s->lock);
}

static inline unsigned server_pushes(struct server *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->pushes;
	pthread_mutex_unlock(&s->lock);
	return n;
}

#endif
