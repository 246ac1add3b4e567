/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coroutines PORT calls|anywhere|said - a coroutine for each connection, on one thread, by swapcontext.
 * They switch where a call would block, or also in the midst of work, between any two calls; said: and
 * the program says at each switch whose work it turns to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#include "../../../shim/spanprof.h"
#include "serve.h"

#define STACK (128 << 10)
#define READY 1024
#define PARTS 4

struct coroutine {
	ucontext_t context;
	int fd;
	bool ended, working;
	struct spanprof_context said; /* working: on this */
	char stack[STACK];
};

static ucontext_t scheduler;
static struct coroutine *current, *ready[READY];
static unsigned first, last;
static int epoll;
static bool anywhere, says;

static void make_ready(struct coroutine *coroutine)
{
	ready[last++ % READY] = coroutine;
}

static void yield(void)
{
	struct coroutine *self = current;

	if (self->working)
		spanprof_leave();
	swapcontext(&self->context, &scheduler);
	if (self->working)
		spanprof_resume(&self->said);
}

static void begin_work(struct coroutine *self, const char *head)
{
	const char *name = strstr(head, "\r\ntraceparent: ");
	char value[56] = "";

	if (!says)
		return;
	if (name)
		sscanf(name, "\r\ntraceparent: %55[^\r]", value);
	self->working = spanprof_enter(value) == 0;
	spanprof_capture(&self->said);
}

static void end_work(struct coroutine *self)
{
	if (self->working)
		spanprof_leave();
	self->working = false;
}

static bool read_head(int fd, struct request *request)
{
	char text[HEAD_MAX];
	size_t n = 0;

	do {
		ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);

		if (got < 0 && errno == EAGAIN) {
			yield(); /* woken by epoll */
			continue;
		}
		if (got <= 0)
			return false;
		n += (size_t)got;
		text[n] = 0;
		if (serve_parse(text, request)) {
			begin_work(current, text);
			return true;
		}
	} while (n < sizeof(text) - 1);
	return false;
}

static void serve(void)
{
	struct coroutine *self = current;
	struct request request;

	while (read_head(self->fd, &request)) {
		for (int i = 0; i < PARTS; i++) {
			burn(request.n, request.us / PARTS);
			if (anywhere) {
				make_ready(self);
				yield();
			}
		}
		serve_reply(self->fd);
		end_work(self);
		if (request.close)
			break;
	}
	self->ended = true;
	yield();
}

static void begin(int fd)
{
	struct coroutine *coroutine = calloc(1, sizeof(*coroutine));
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = coroutine};

	coroutine->fd = fd;
	getcontext(&coroutine->context);
	coroutine->context.uc_stack = (stack_t){.ss_sp = coroutine->stack, .ss_size = STACK};
	makecontext(&coroutine->context, serve, 0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	make_ready(coroutine);
}

static void run_ready(void)
{
	while (first != last) {
		current = ready[first++ % READY];
		swapcontext(&scheduler, &current->context);
		if (current->ended) {
			close(current->fd);
			free(current);
		}
	}
}

int main(int argc, char **argv)
{
	int listener = serve_listen(argv[1], true);
	struct epoll_event events[64], event = {.events = EPOLLIN};

	says = !strcmp(argv[2], "said");
	anywhere = says || !strcmp(argv[2], "anywhere");
	epoll = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1), fd;

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				make_ready(events[i].data.ptr);
			else
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
					begin(fd);
		}
		run_ready();
	}
}
