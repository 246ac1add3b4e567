/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.h - what a request asks for, as a name that few requests share: its method and a template of
 * its path, "GET /users/{}". Context: AGENT. Pure: text in, text out. Clients choose what comes in, and
 * servers make a series of every name that comes out.
 */
#ifndef SPANPROF_AGENT_ROUTE_H
#define SPANPROF_AGENT_ROUTE_H

#include <stddef.h>

#include "shim/feed.h"

#define ROUTE_METHODS_MAX 64 /* that are names by themselves: route_name() knows no more */

struct route {
	/* "", or the method, which names nothing a client made up, and behind a space the template. */
	char name[FEED_METHOD_SIZE + 2 * FEED_TARGET_SIZE];
	size_t method; /* bytes of it */
};

/* From a context's fields, which may be anything. An empty name: no method is known. */
void route_name(struct route *route, const char method[FEED_METHOD_SIZE],
		const char target[FEED_TARGET_SIZE]);

#endif
