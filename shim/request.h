/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request's head says that concerns us, whatever the protocol: filled in by the scanners of
 * each (http1.c, http2.c, fastcgi.c, ...), read by whoever attributes work. Context: APP.
 */
#ifndef SPANPROF_SHIM_REQUEST_H
#define SPANPROF_SHIM_REQUEST_H

#include <stdbool.h>

#include "shim/traceparent.h"

#define REQUEST_METHOD_MAX 15
#define REQUEST_TARGET_MAX 96

struct request_head {
	struct trace_context context; /* all zero unless has_context */
	bool has_context;	      /* the head names exactly one context, and a valid one */
	bool upgrade;		      /* asks to leave the protocol (WebSocket, h2c) */
	bool upgrade_http2;	      /* ... for HTTP/2 and for nothing else */
	/* HTTP's method; of a database's request, the statement's first keyword in upper case. */
	char method[REQUEST_METHOD_MAX + 1];
	/* The path, without a query, as sent; the first bytes of it if it is longer; "": none. */
	char target[REQUEST_TARGET_MAX + 1];
};

#endif
