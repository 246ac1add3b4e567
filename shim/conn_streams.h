/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_streams.h - a client's HTTP/2 connection: several requests at a time, each a stream. Context: APP;
 * conn is entered.
 */
#ifndef SPANPROF_SHIM_CONN_STREAMS_H
#define SPANPROF_SHIM_CONN_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/feed.h"

struct conn;
struct thread;

/* The client has begun to speak HTTP/2; preface bytes of it came already. Without room for the
 * connection it is opaque. */
void streams_begin(struct conn *conn, size_t preface);
/* The live request has led to HTTP/2 and is its stream 1. */
void streams_upgrade(struct conn *conn);
/* It is no HTTP/2 connection any more; all of its requests, if they are a client's, are over. */
void streams_forget(struct conn *conn);
/* n bytes came in; tell the thread what they mean once all have: streams_told(). */
void streams_received(struct thread *thread, struct conn *conn, const void *bytes, size_t n);
void streams_told(struct thread *thread, struct conn *conn);
/* n bytes go out; NULL: their number only. All of a call, then streams_answered(). */
struct streams_answer {
	struct conn *conn;
	uint32_t request;	/* the one that frames went out for; 0: none yet */
	struct feed_context context; /* its */
	bool begins, mixed;	/* the first ones of its answer; for another, too */
	uint32_t ended[16];	/* requests that they end */
	unsigned ended_count;
};
void streams_sent(struct streams_answer *answer, const void *bytes, size_t n);
void streams_answered(struct thread *thread, struct streams_answer *answer);

#endif
