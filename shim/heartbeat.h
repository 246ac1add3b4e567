/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heartbeat.h - whether the agent still moves the count in the region that says it lives. Context:
 * HANDLER, of any thread: several look at a time, and one may have looked at the clock long before it
 * goes on.
 */
#ifndef SPANPROF_SHIM_HEARTBEAT_H
#define SPANPROF_SHIM_HEARTBEAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Written by whoever looks; relaxed, since each word stands for itself. */
struct heartbeat {
	_Atomic uint32_t seen;
	_Atomic uint64_t moved_ns; /* when it was seen to move; only grows */
};

enum heartbeat_state {
	HEARTBEAT_MOVED, /* since somebody last looked */
	HEARTBEAT_STILL,
	HEARTBEAT_SILENT, /* for longer than it may be */
};

/* Another agent, or none has been looked at yet. */
void heartbeat_start(struct heartbeat *h, uint64_t now_ns);
/* beat: the count, read after the clock. */
enum heartbeat_state heartbeat_look(struct heartbeat *h, uint32_t beat, uint64_t now_ns);
/* now_ns is more than ns behind since_ns; not so if another thread has read that later. */
bool heartbeat_over(uint64_t now_ns, uint64_t since_ns, uint64_t ns);

#endif
