/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_calls_frames.h - private to the files of conn_calls: what the frames of one call of the program
 * are for, and what that tells its thread. Context: APP; conn is entered.
 */
#ifndef SPANPROF_SHIM_CONN_CALLS_FRAMES_H
#define SPANPROF_SHIM_CONN_CALLS_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/feed.h"

struct conn;
struct thread;

#define UNNAMED_MAX 16 /* heads of one write that are lent; more are nobody's */

struct calls_frames {
	struct thread *thread;
	struct conn *conn;
	bool any;     /* of a stream at all */
	bool unknown; /* of a stream whose request nobody knows, or that is finished */
	bool several; /* of several requests */
	bool named;   /* by trace context in a head */
	bool misled;  /* .. that is another's than the connection was made for */
	bool awaited; /* the connection was made for it, which need not be done in this turn */
	unsigned heads;
	uint32_t unnamed[UNNAMED_MAX];
	unsigned unnamed_count;
	uint64_t guess;
	struct feed_context request; /* no flags: none is known yet */
	/* Of the thread, before. */
	const struct feed_context *known;
	uint64_t known_guess;
};

/* They went out, or came in. others: as attribute_among_others() said before. */
void calls_tell_sent(struct calls_frames *frames, bool others);
void calls_tell_received(struct calls_frames *frames);

#endif
