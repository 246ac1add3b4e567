/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - the agent's life: it wakes up as a grandchild of its first process, with that process's
 * region at descriptor 3, becomes the service's agent or hands the process to the one there is, drains,
 * delivers every interval, and goes a while after the last process has gone. AGENT: the only file that
 * knows every module.
 *
 * usage (by shim/attach_child.c only): spanprof-agent NAME PID
 *       (by debuginfod_fetch.c only): spanprof-agent --fetch-debug-file BUILD-ID
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/client.h"
#include "agent/clock.h"
#include "agent/collect.h"
#include "agent/counters.h"
#include "agent/debuginfod.h"
#include "agent/debuginfod_fetch.h"
#include "agent/deliver.h"
#include "agent/join.h"
#include "agent/log.h"
#include "agent/ordinary.h"
#include "agent/report.h"
#include "agent/symbol.h"

#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC 1000000000ULL
#define MAIN_POLL_BUSY_MS 25 /* while samples come */
#define MAIN_POLL_IDLE_MS 50 /* a ring must not fill up meanwhile: four samples of the largest size */
#define MAIN_POLL_EMPTY_MS 200 /* no process at all */
#define MAIN_LINGER_NS (5 * NSEC_PER_SEC)    /* after the last process, when all is delivered */
#define MAIN_GIVE_UP_NS (9 * NSEC_PER_SEC)   /* the same when something cannot be delivered */
#define MAIN_PATIENCE_NS (3 * NSEC_PER_SEC) /* with a server that does not say what it is, at the end */
#define MAIN_TERM_NS (3 * NSEC_PER_SEC)      /* after SIGTERM, for processes that end as well */

struct agent {
	const char *name;
	const char *report;
	int listener, signals;
	struct feed_config config;
	struct client *clients;
	struct collect *collect;
	struct deliver *deliver;
	uint64_t next_upload_unix_ns;
	uint64_t empty_since_ns; /* 0: there are processes */
	uint64_t term_ns;	 /* when SIGTERM came; 0: it did not */
	bool flushed;		 /* since the last process ended */
	bool reported;
	bool any_records; /* in the last turn */
	uint64_t drained_ns, longest_ns; /* when rings were last emptied; the longest between two */
};

static struct client *adopt(struct agent *a, const struct joined *j)
{
	const char *why;
	struct client *c = client_new(j->memfd, j->pidfd, j->maps, j->pid, &why);

	if (!c) {
		log_warn("process %d is not served: %s", (int)j->pid, why);
		return NULL;
	}
	c->next = a->clients;
	a->clients = c;
	a->empty_since_ns = 0;
	return c;
}

static int descriptor_or_none(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -1;
}

static uint64_t next_aligned(uint64_t unix_ns, uint64_t interval_ns)
{
	return (unix_ns / interval_ns + 1) * interval_ns;
}

static bool start(struct agent *a, const struct joined *first)
{
	uint64_t unix_ns = clock_ns(CLOCK_REALTIME);
	struct client *c = adopt(a, first);
	int error;

	if (!c)
		return false;
	a->config = c->config;
	error = log_init((enum log_level)a->config.log_level,
			 *a->config.log_file ? a->config.log_file : NULL, first->pid);
	if (error)
		log_warn("cannot write the log to %s: %s", a->config.log_file, strerror(-error));
	symbol_configure(a->config.debug_path, a->config.shorten_templates);
	debuginfod_configure(a->config.debuginfod);
	a->collect = collect_new(&a->config, unix_ns);
	a->deliver = deliver_new(&a->config);
	if (!a->collect || !a->deliver) {
		log_error("cannot start: out of memory, or nowhere to deliver to");
		return false;
	}
	if (a->config.verify_stacks)
		collect_verify(a->collect);
	a->next_upload_unix_ns =
		next_aligned(unix_ns, a->config.upload_interval_ms * NSEC_PER_MSEC);
	client_enter(c, getpid());
	report_start(a->report);
	log_info("serving %s", a->config.service);
	return true;
}

static void accept_all(struct agent *a)
{
	struct joined j;

	while (a->listener >= 0 && join_accept(a->listener, &j)) {
		struct client *c = adopt(a, &j);

		if (!c)
			continue;
		/* The name is a hash of it, so another one is a chance in 2^64 or a forgery. */
		if (memcmp(&c->config, &a->config, sizeof(c->config)) != 0) {
			log_warn("process %d has another configuration; not served", (int)j.pid);
			a->clients = c->next;
			client_free(c);
			continue;
		}
		client_enter(c, getpid());
	}
}

/* True while some host waits, at its end, for what it did to be delivered. */
static bool hosts_wait(const struct agent *a)
{
	for (const struct client *c = a->clients; c; c = c->next)
		if (atomic_load(&c->header->bye) == 1)
			return true;
	return false;
}

static unsigned drain_all(struct agent *a, uint64_t now_ns)
{
	unsigned live = 0;

	if (a->drained_ns && now_ns - a->drained_ns > a->longest_ns)
		a->longest_ns = now_ns - a->drained_ns;
	a->drained_ns = a->clients ? now_ns : 0;
	a->any_records = false;
	for (struct client **link = &a->clients; *link;) {
		struct client *c = *link;
		unsigned mine = client_update(c, now_ns);

		a->any_records |= collect_client(a->collect, c, now_ns) != 0;
		atomic_fetch_add_explicit(&c->header->heartbeat, 1, memory_order_relaxed);
		live += mine;
		/* Everything of it has ended and is drained; but a child may be claiming just now. */
		if (mine == 0 && c->process_count == 0 && client_leave(c)) {
			counters_look(c);
			collect_expire(a->collect, c, now_ns, 0);
			*link = c->next;
			client_free(c);
			continue;
		}
		link = &c->next;
	}
	return live;
}

static void upload(struct agent *a, uint64_t now_ns, bool final)
{
	uint64_t unix_ns = clock_ns(CLOCK_REALTIME);
	struct aggregate *done;

	for (struct client *c = a->clients; c; c = c->next) {
		collect_expire(a->collect, c, now_ns, final ? 0 : STRETCH_HOLD_NS);
		counters_look(c);
	}
	counters_say();
	done = collect_take(a->collect, unix_ns);
	counters_bounds(&collect_totals(a->collect)->folded);
	if (done)
		deliver_interval(a->deliver, done, collect_program(a->collect), unix_ns);
	a->next_upload_unix_ns =
		next_aligned(unix_ns, a->config.upload_interval_ms * NSEC_PER_MSEC);
}

static void report(struct agent *a)
{
	struct deliver_totals delivered;

	deliver_totals(a->deliver, &delivered);
	report_done(a->report, collect_totals(a->collect), &delivered);
	a->reported = true;
	collect_say(a->collect);
	log_info("all delivered");
}

/* No process is left: deliver at once, tell the launcher, linger. True: time to go. */
static bool wind_down(struct agent *a, uint64_t now_ns)
{
	uint64_t since;
	bool idle, give_up;

	if (!a->empty_since_ns) {
		a->empty_since_ns = now_ns;
		a->flushed = a->reported = false;
	}
	since = now_ns - a->empty_since_ns;
	if (!a->flushed)
		upload(a, now_ns, true);
	a->flushed = true;
	if (since > MAIN_PATIENCE_NS)
		deliver_hurry(a->deliver);
	idle = deliver_idle(a->deliver);
	give_up = since > MAIN_GIVE_UP_NS && !deliver_encoding(a->deliver);
	if (!a->reported && (idle || give_up))
		report(a);
	return (idle && (a->term_ns || since > MAIN_LINGER_NS)) || give_up;
}

static void serve_waiting_hosts(struct agent *a, uint64_t now_ns)
{
	static bool flushing;

	if (!hosts_wait(a)) {
		flushing = false;
		return;
	}
	if (!flushing)
		upload(a, now_ns, true);
	flushing = true;
	if (!deliver_idle(a->deliver))
		return;
	for (struct client *c = a->clients; c; c = c->next)
		if (atomic_load(&c->header->bye) == 1)
			client_wake(c);
}

static void read_signals(struct agent *a, uint64_t now_ns)
{
	struct signalfd_siginfo info;

	while (read(a->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (!a->term_ns)
			a->term_ns = now_ns;
}

static int pause_ms(const struct agent *a)
{
	if (a->empty_since_ns)
		return deliver_idle(a->deliver) ? MAIN_POLL_EMPTY_MS : MAIN_POLL_BUSY_MS;
	return a->any_records ? MAIN_POLL_BUSY_MS : MAIN_POLL_IDLE_MS;
}

/* One turn. False: the agent's life is over. */
static bool turn(struct agent *a)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct pollfd fds[2] = {{.fd = a->listener, .events = POLLIN},
				{.fd = a->signals, .events = POLLIN}};
	unsigned live;

	read_signals(a, now_ns);
	accept_all(a);
	live = drain_all(a, now_ns);
	if (live || a->clients)
		a->empty_since_ns = 0;
	else if (wind_down(a, now_ns))
		return false;
	if (clock_ns(CLOCK_REALTIME) >= a->next_upload_unix_ns)
		upload(a, now_ns, false);
	serve_waiting_hosts(a, now_ns);
	deliver_poll(a->deliver, now_ns);
	debuginfod_poll(now_ns);
	/* Told to go while processes live on: they were probably told too; if not, leave them. */
	if (a->term_ns && a->clients && now_ns - a->term_ns > MAIN_TERM_NS)
		return false;
	deliver_wait(a->deliver, fds, 2, pause_ms(a));
	return true;
}

static void leave(struct agent *a)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + MAIN_PATIENCE_NS, now_ns;

	if (a->listener >= 0)
		close(a->listener);
	for (struct client *c = a->clients; c; c = c->next)
		atomic_store(&c->header->up, FEED_GONE);
	now_ns = clock_ns(CLOCK_MONOTONIC);
	if (a->clients) {
		drain_all(a, now_ns);
		upload(a, now_ns, true);
	}
	deliver_hurry(a->deliver);
	while (!deliver_idle(a->deliver) && (now_ns = clock_ns(CLOCK_MONOTONIC)) < end) {
		if (deliver_encoding(a->deliver))
			end = now_ns + MAIN_PATIENCE_NS;
		deliver_poll(a->deliver, now_ns);
		deliver_wait(a->deliver, NULL, 0, MAIN_POLL_BUSY_MS);
	}
	if (!a->reported)
		report(a);
	log_debug("leaving; rings waited %llu ms at most",
		  (unsigned long long)(a->longest_ns / NSEC_PER_MSEC));
	deliver_free(a->deliver);
	debuginfod_release();
	while (a->clients) {
		struct client *c = a->clients;

		a->clients = c->next;
		client_free(c);
	}
	collect_free(a->collect);
	log_release();
}

int main(int argc, char **argv)
{
	struct joined first = {.memfd = descriptor_or_none(FEED_FD_REGION),
			       .pidfd = descriptor_or_none(FEED_FD_HOST),
			       .maps = descriptor_or_none(FEED_FD_MAPS)};
	struct agent a = {.report = getenv("SPANPROF_REPORT"), .listener = -1};

	if (argc == 3 && !strcmp(argv[1], DEBUGINFOD_FETCH))
		return debuginfod_fetch(argv[2]);
	if (argc != 3 || first.memfd < 0) {
		fputs("spanprof-agent " SPANPROF_VERSION ": started by libspanprof.so, not by hand; "
		      "see spanprof(1)\n", stderr);
		return 2;
	}
	a.name = argv[1];
	first.pid = (pid_t)atol(argv[2]);
	a.signals = ordinary_become();
	if (!join_take(a.name, &first, &a.listener))
		return 0;
	if (!start(&a, &first))
		return 1;
	while (turn(&a))
		;
	leave(&a);
	return 0;
}
