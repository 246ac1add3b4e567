/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The uwsgi protocol as web servers speak it to an application: one packet of variables, then the
 * body, one request to a connection. Its answer is plain HTTP/1 (http1_response.h). Context: APP;
 * no allocation, no lock, no errno. Zeroed memory is an initialised scanner.
 */
#ifndef SPANPROF_SHIM_UWSGI_H
#define SPANPROF_SHIM_UWSGI_H

#include <sys/types.h>

#include "shim/cgi.h"

/* Private to uwsgi.c. */
struct uwsgi {
	struct request_head request;
	struct cgi cgi;
	uint16_t left;	/* of the packet */
	uint16_t value; /* left of this name or value; before: of its length, the low byte */
	uint8_t header; /* bytes of it so far */
	uint8_t part;	/* enum part */
	uint8_t error;
};

/*
 * The next n bytes from the server. > 0: the head ended after that many, see request; 0: not yet,
 * or what follows it; < 0: -EPROTO, for good.
 */
ssize_t uwsgi_feed(struct uwsgi *u, const void *bytes, size_t n);

#endif
