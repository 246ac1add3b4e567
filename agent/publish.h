/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish.h - puts unwind tables and snapshots of memory maps into a region, for the handlers of its
 * processes (shim/unwind.c). Context: AGENT. What a handler may still be reading is kept for a grace
 * period; a handler slower than that notices that its snapshot is no longer the current one.
 */
#ifndef SPANPROF_AGENT_PUBLISH_H
#define SPANPROF_AGENT_PUBLISH_H

#include <stdint.h>

#include "agent/client.h"
#include "agent/module.h"

#define PUBLISH_GRACE_NS 2000000000ULL

/* Compiled tables, one for each object, shared by all regions. */
struct tables;

struct tables *tables_new(void);
void tables_free(struct tables *tables);
/* The row of a link-time address of an object, as handlers see it; NULL: there is none. */
const struct feed_row *tables_row(struct tables *tables, struct module *module, uint64_t vaddr);

/*
 * Give the process's handlers what its map needs, if the map or the set of objects has changed since
 * the last time. Objects that do not fit or have no tables are left to the agent's own walk.
 */
void publish_process(struct tables *tables, struct modules *modules, struct client *client,
		     struct process *process, uint64_t now_ns);
/* Forget what was published for a process that is gone. */
void publish_forget(struct client *client, struct process *process, uint64_t now_ns);
void publish_release(struct client *client);

#endif
