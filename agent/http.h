/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP requests to one server that never block: started, driven by http_perform, answered by a
 * callback. Knows nothing of what is sent, and repeats nothing. Context: AGENT, single-threaded.
 */
#ifndef SPANPROF_AGENT_HTTP_H
#define SPANPROF_AGENT_HTTP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define HTTP_ANSWER_MAX 4096u /* bytes kept of what a server answers */
#define HTTP_REASON_MAX 512u
#define HTTP_HEADERS_MAX 64u
#define HTTP_HEADER_MAX 8192u
#define HTTP_CONNECT_TIMEOUT_MS 5000u
#define HTTP_TIMEOUT_MS 10000u /* of a whole request, unless configured */

/* Copied by http_new. NULL or 0 where nothing is configured. */
struct http_config {
	const char *server; /* http or https URL, a path prefix is kept; userinfo is basic auth */
	const char *user, *password; /* basic auth; goes before the URL's userinfo */
	const char *tenant_id;	     /* X-Scope-OrgID */
	const char *const *headers;  /* "Name: value" strings, ends with NULL */
	unsigned timeout_ms;
};

struct http_part {
	const char *name, *filename, *type;
	const void *bytes;
	size_t len;
};

/* Valid during the callback only. */
struct http_reply {
	long status;	  /* of the final answer; 0: none came */
	const char *body; /* its start, terminated */
	size_t len;
	const char *reason; /* for the log: status and body, or why there is none */
	bool sent_whole;    /* the request may have left this machine entirely */
};

struct http;
struct http_transfer;
typedef void http_done_fn(void *arg, const struct http_reply *reply);

/* NULL, said in the log and in errno: EINVAL for an unusable URL, else ENOMEM. */
struct http *http_new(const struct http_config *config);
void http_free(struct http *h); /* after its transfers */

/* The server's URL without userinfo and trailing slash: may be shown. */
const char *http_base(const struct http *h);
/* For a query. malloc'ed, NULL without memory. */
char *http_escape(const char *text);

/* A transfer carries one request at a time; done may start the next. */
struct http_transfer *http_transfer_new(struct http *h, http_done_fn *done, void *arg);
void http_transfer_free(struct http_transfer *t);
bool http_running(const struct http_transfer *t);

/*
 * GET of target ("/path?query" below the base), or with parts POST of a multipart form. The bytes
 * of the last part are not copied: they must stay until done. -ENOMEM, and then done is not called.
 */
int http_start(struct http_transfer *t, const char *target, const struct http_part *parts,
	       unsigned n);

/* Sends and receives what it can without waiting; calls done for what has ended. */
void http_perform(struct http *h);

/*
 * Sleeps until an fd of fds or a transfer is ready, a signal came or timeout_ms >= 0 passed. Only
 * POLLIN, POLLPRI and POLLOUT are told in revents.
 */
int http_wait(struct http *h, struct pollfd *fds, unsigned n, int timeout_ms);

#endif
