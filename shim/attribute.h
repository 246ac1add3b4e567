/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute.h - which request a thread is working on, from the calls it makes. Knows no protocol and
 * no descriptor: conn.c turns calls on descriptors into these events. Context: APP, the thread itself.
 *
 * A thread's time is cut into stretches by its own calls. Of some stretches the owner is known when
 * they begin; of others only the call that ends them tells, and samples taken meanwhile are labelled
 * then (docs/attribution.md has the rules and why).
 */
#ifndef SPANPROF_SHIM_ATTRIBUTE_H
#define SPANPROF_SHIM_ATTRIBUTE_H

#include "shim/feed.h"

struct thread;

enum attribution_mode {
	ATTRIBUTION_NONE,   /* parked: no request known; the next write to a client may claim it */
	ATTRIBUTION_ACTIVE, /* working on .request */
	ATTRIBUTION_AFTER,  /* .request was answered; this is its tail or the next one's head */
	ATTRIBUTION_LOST,   /* some request that is not known: nobody's, and no write claims it */
};

struct attribution {
	enum attribution_mode mode;
	struct feed_context request;
};

/* A complete head arrived on a connection, or more bytes of a connection with a live request. */
void attribute_read(struct thread *thread, const struct feed_context *request);
/* Bytes went out to a client whose request is live. */
void attribute_write(struct thread *thread, const struct feed_context *request);
/* Any other call that moves data or takes a connection: a file, a pipe, an upstream, accept. */
void attribute_other(struct thread *thread);
/* The thread is about to wait for readiness of many descriptors. */
void attribute_wait(struct thread *thread);
/* Bytes came from a client whose request is not known (TLS, another protocol, half a head). */
void attribute_read_unknown(struct thread *thread);
/* A connection was seen whose state is unknown: whatever the thread does is nobody's. */
void attribute_lost(struct thread *thread);
/* A number for a new request, never 0. */
uint32_t attribute_number(void);

#endif
