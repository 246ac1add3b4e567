/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes encoded profiles to a Pyroscope server, one at a time, from the main loop of the agent:
 *
 *	uploader_submit(u, &item);      whenever there is a profile
 *	uploader_poll(u, now);          once a turn; never blocks
 *	uploader_wait(u, fds, n, ms);   where the loop sleeps
 *
 * Profiles wait in a bounded spool while the server is away. Context: AGENT, single-threaded.
 */
#ifndef SPANPROF_AGENT_UPLOAD_H
#define SPANPROF_AGENT_UPLOAD_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/spool.h"

enum upload_trace_id {
	UPLOAD_TRACE_ID_AUTO, /* off for servers that name a version below 2.1 */
	UPLOAD_TRACE_ID_ON,
	UPLOAD_TRACE_ID_OFF,
};

/* Copied by uploader_new. All but server and app_name may be NULL or 0. */
struct upload_config {
	const char *server;   /* http or https URL, a path prefix is kept; userinfo is basic auth */
	const char *app_name; /* service{key=value,...}, not escaped */
	const char *spy_name; /* NULL: spanprof */
	enum upload_trace_id trace_id_label;
	unsigned timeout_ms;	     /* of one try; 0: 10 s */
	const char *basic_auth_user; /* goes before the URL's userinfo */
	const char *basic_auth_password;
	const char *tenant_id;
	const char *const *headers; /* "Name: value" strings, ends with NULL */
};

struct upload_stats {
	uint64_t ok;	    /* profiles that the server took */
	uint64_t retried;   /* tries after the first */
	uint64_t dropped;   /* no room, or no success in RETRY_TRIES_MAX tries */
	uint64_t rejected;  /* the server will never take them */
	uint64_t ambiguous; /* sent, never answered, not sent again */
	uint64_t bytes;	    /* of profiles that the server took */
};

struct uploader;

/* NULL, said in the log and in errno: EINVAL for an unusable server address, else ENOMEM, E2BIG. */
struct uploader *uploader_new(const struct upload_config *config);
/* Gives up, in the log, what was not sent. Does not wait. */
void uploader_free(struct uploader *u);

/* Takes over item->bytes whatever it returns. -EINVAL: empty, -EMSGSIZE: no spool holds it. */
int uploader_submit(struct uploader *u, const struct spool_item *item);

/* Sends, receives, retries what is due. now_ns: CLOCK_MONOTONIC, never going back. */
void uploader_poll(struct uploader *u, uint64_t now_ns);

/*
 * Sleeps until an fd of fds or a transfer is ready, a retry is due, a signal came, or timeout_ms
 * (< 0: no limit) passed since the last poll. Only POLLIN, POLLPRI and POLLOUT are told in revents.
 */
int uploader_wait(struct uploader *u, struct pollfd *fds, unsigned n, int timeout_ms);

/* Nothing is waiting or under way. A probe of the server does not count. */
bool uploader_idle(const struct uploader *u);
/* The next try is due at once: for a flush before exit, when waiting out a delay would lose all. */
void uploader_hurry(struct uploader *u);

/*
 * Whether samples may carry trace_id. *known is false until the server was asked once; profiles
 * encoded before that have to assume that it is not.
 */
bool uploader_trace_id_allowed(const struct uploader *u, bool *known);

void uploader_stats(const struct uploader *u, struct upload_stats *out);

#endif
