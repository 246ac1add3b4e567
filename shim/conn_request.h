/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_request.h - a new request on a client's connection. Context: APP.
 */
#ifndef SPANPROF_SHIM_CONN_REQUEST_H
#define SPANPROF_SHIM_CONN_REQUEST_H

#include <stdbool.h>

#include "shim/feed.h"

struct request_head;
struct thread;

/* Fill in request, which is a new one whose head the thread has read; without ids if they are not
 * wanted or the head names no sampled context. */
void conn_request(struct thread *thread, struct feed_context *request,
		  const struct request_head *head, bool wanted);

#endif
