/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool PORT connections|jobs|returned|tenth [LOG] - an event loop and four workers.
 *   connections: the loop hands out readable connections; the worker reads, burns and writes
 *   jobs: the loop reads, the worker burns and writes
 *   returned: the loop reads and writes, the worker burns only and hands the job back
 *   tenth: jobs, but each tenth that a worker gets is handed back
 * With a LOG, a worker writes a line to that file and one into a pipe before and after it burns.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

#define WORKERS 4
#define QUEUE 1024

struct job {
	int fd;
	struct request request;
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct job jobs[QUEUE];
	unsigned head, tail;
};

static struct queue waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {}, 0, 0};
static struct queue finished = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {}, 0, 0};
static int epoll, wake;
static enum { CONNECTIONS, JOBS, RETURNED, TENTH } kind;
static int log_file = -1, log_pipe = -1;

static void push(struct queue *queue, struct job job)
{
	pthread_mutex_lock(&queue->lock);
	queue->jobs[queue->tail++ % QUEUE] = job;
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

static bool pop(struct queue *queue, struct job *job, bool wait)
{
	bool some;

	pthread_mutex_lock(&queue->lock);
	while (wait && queue->head == queue->tail)
		pthread_cond_wait(&queue->filled, &queue->lock);
	some = queue->head != queue->tail;
	if (some)
		*job = queue->jobs[queue->head++ % QUEUE];
	pthread_mutex_unlock(&queue->lock);
	return some;
}

static void watch(int fd, int how)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};

	epoll_ctl(epoll, how, fd, &event);
}

static void answer(const struct job *job)
{
	serve_reply(job->fd);
	if (job->request.close)
		close(job->fd);
	else
		watch(job->fd, EPOLL_CTL_MOD);
}

static void say(const char *what, unsigned n)
{
	char line[64];
	int length = snprintf(line, sizeof(line), "%s %u\n", what, n);

	if (log_file < 0)
		return;
	if (write(log_file, line, (size_t)length) != length || write(log_pipe, line, (size_t)length) != length)
		perror("log");
}

static void open_log(const char *path)
{
	FILE *reader = popen("cat >/dev/null", "w");

	log_file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	log_pipe = reader ? fileno(reader) : -1;
}

static void *work(void *unused)
{
	struct job job;
	unsigned count = 0;

	for (;;) {
		pop(&waiting, &job, true);
		if (kind == CONNECTIONS && !serve_read(job.fd, &job.request)) {
			close(job.fd);
			continue;
		}
		say("begin", job.request.n);
		burn(job.request.n, job.request.us);
		say("end", job.request.n);
		if (kind == RETURNED || (kind == TENTH && ++count % 10 == 0)) {
			push(&finished, job);
			eventfd_write(wake, 1);
		} else {
			answer(&job);
		}
	}
	return NULL;
}

static void readable(int fd)
{
	struct job job = {.fd = fd};

	if (kind != CONNECTIONS && !serve_read(fd, &job.request))
		close(fd);
	else
		push(&waiting, job);
}

static void woken(void)
{
	eventfd_t count;
	struct job job;

	eventfd_read(wake, &count);
	while (pop(&finished, &job, false))
		answer(&job);
}

int main(int argc, char **argv)
{
	int listener = serve_listen(argv[1], false);
	struct epoll_event events[64], always = {.events = EPOLLIN};
	pthread_t id;

	kind = !strcmp(argv[2], "connections") ? CONNECTIONS
	       : !strcmp(argv[2], "jobs")      ? JOBS
	       : !strcmp(argv[2], "tenth")     ? TENTH
					       : RETURNED;
	if (argc > 3)
		open_log(argv[3]);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	wake = eventfd(0, EFD_CLOEXEC);
	always.data.fd = listener;
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &always);
	always.data.fd = wake;
	epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &always);
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&id, NULL, work, NULL);
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == listener)
				watch(accept4(listener, NULL, NULL, SOCK_CLOEXEC), EPOLL_CTL_ADD);
			else if (fd == wake)
				woken();
			else
				readable(fd);
		}
	}
}
