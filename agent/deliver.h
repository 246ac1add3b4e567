/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver.h - finished intervals to files and to the server. Context: AGENT; never blocks.
 */
#ifndef SPANPROF_AGENT_DELIVER_H
#define SPANPROF_AGENT_DELIVER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/aggregate.h"
#include "agent/module.h"
#include "shim/feed.h"

/* Intervals that wait to be written; and not encoded, until the server said what it makes of ids. */
#define DELIVER_WAITING_MAX 8

struct deliver_totals {
	uint64_t files, pushed, failed;
};

struct deliver;

/* NULL: the server's address is unusable and there is no directory, or memory is out; said. */
struct deliver *deliver_new(const struct feed_config *config);
void deliver_free(struct deliver *d);
/* Takes over the aggregate. */
void deliver_interval(struct deliver *d, struct aggregate *a, struct module *program,
		      uint64_t until_unix_ns);
void deliver_poll(struct deliver *d, uint64_t now_ns);
/* Sleep until a descriptor or transfer is ready, or the time is over. */
void deliver_wait(struct deliver *d, struct pollfd *fds, unsigned n, int timeout_ms);
/* A profile is being made, which takes the time it takes and no server's. */
bool deliver_encoding(const struct deliver *d);
/* Nothing is waiting to be written or sent. */
bool deliver_idle(const struct deliver *d);
/* The end is near: do not wait for better times. */
void deliver_hurry(struct deliver *d);
void deliver_totals(const struct deliver *d, struct deliver_totals *out);

#endif
