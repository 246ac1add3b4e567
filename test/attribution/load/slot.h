/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTRIBUTION_SLOT_H
#define ATTRIBUTION_SLOT_H
/*
 * What is asked and by whom. A slot has one request in flight at most and two burn functions of its
 * own, 2 * index and 2 * index + 1, which its requests take turns in. A trace id tells its
 * function.
 */
#include <stdbool.h>
#include <stddef.h>

enum mode {
	MODE_NONE,	/* no request carries a context */
	MODE_HALF,	/* those of every second slot do */
	MODE_ALTERNATE, /* every second request of each slot does */
	MODE_ALL,
};

struct slot {
	unsigned index;
	unsigned turn;
};

struct ask {
	unsigned n, us;
	bool close;	      /* the last of its connection */
	char traceparent[64]; /* "" without a context */
};

struct load {
	const char *host, *path, *prefix, *user;
	int port;
	unsigned slots, streams, close_percent;
	enum mode mode;
	bool tls, upgrade;
	bool early; /* a connection of its own for each request, whose head is TLS early data */
	bool kept; /* a statement is prepared once on each connection, by its first request */
};

extern struct load load; /* main's to write, before any thread */

/* The next request of a slot; false when enough has been asked for. */
bool slot_next(struct slot *slot, struct ask *ask);

/* Its path, which ends in the function's number if what was asked for ends in a slash, and its
 * query. */
void slot_target(const struct ask *ask, char *target, size_t size);

/* A request was answered; why not, if it was not. */
void slot_answered(void);
void slot_failed(const char *why);

/* Each protocol: serves the slots first .. first + count on one connection at a time. */
void http1_run(unsigned first, unsigned count);
void http2_run(unsigned first, unsigned count);
void grpc_run(unsigned first, unsigned count);
void postgres_run(unsigned first, unsigned count);
void postgres_extended_run(unsigned first, unsigned count);
void postgres_prepared_run(unsigned first, unsigned count);
void mariadb_run(unsigned first, unsigned count);
void mariadb_prepared_run(unsigned first, unsigned count);
void redis_run(unsigned first, unsigned count);

#endif
