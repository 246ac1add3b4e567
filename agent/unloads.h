/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unloads.h - what a process has unloaded, as its dlcloses told (shim/unload.c), for samples that were
 * taken before and are looked at after. Context: AGENT. All of it is a host's word: it may mislead
 * about that host's own names, and is bounded.
 */
#ifndef SPANPROF_AGENT_UNLOADS_H
#define SPANPROF_AGENT_UNLOADS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/client.h"
#include "agent/maps.h"
#include "agent/module.h"

#define UNLOADS_LOG_MAX 4096U	    /* entries of a region's log */
#define UNLOADS_MAX 2048U	    /* kept of one process; of older ones only where they were */
#define UNLOADS_KEEP_NS 2000000000ULL
#define UNLOADS_PATIENCE_NS 200000000ULL /* with a dlclose that does not end */

enum unload_identity { UNLOAD_UNSEEN, UNLOAD_KNOWN, UNLOAD_UNKNOWN };

struct unload {
	uint64_t start, end; /* where it was */
	uint64_t time_ns;    /* the host's clock: gone by then */
	uint32_t begin, end_epoch, looked;
	bool reused;
	uint64_t read_ns; /* agent's clock */
	enum unload_identity identity;
	struct maps_entry entry; /* of its text; dev and inode are 0 until a map or the file told */
	uint32_t entry_epoch;	 /* of the map that told */
	char build_id[65];	 /* hexadecimal, "" if it has none */
	char *path;		 /* what entry.path points to; owned */
	char *told;		 /* the process's own name for it; owned, or NULL */
};

struct unloads {
	struct unload *items; /* by time_ns */
	size_t count, room;
	uint64_t generation;
	uint32_t settled; /* all that went up to this epoch is here */
	uint64_t unsettled_ns; /* since when a sample waits in vain; 0: none does */
	/* Something in [low, high) went untold, up to this epoch. */
	uint32_t lost;
	uint64_t low, high;
};

void unloads_free(struct unloads *unloads);
/* Take what the region's log holds, of all its processes. */
void unloads_take(struct client *client, uint64_t now_ns);
/* Nothing can come any more that a sample of this epoch would need; or it has been waited for enough. */
bool unloads_settled(struct client *client, struct process *process, uint32_t epoch,
		     uint64_t now_ns);
/* A dlclose has been waited for enough. */
bool unloads_impatient(const struct process *process, uint64_t now_ns);
/* The process's epoch, if no dlclose runs. */
bool unloads_quiet(const struct client *client, const struct process *process, uint32_t *epoch);

/* What lay where at the moment of a sample. */
struct past {
	struct maps_past lookup; /* first */
	struct modules *modules;
	struct process *process;
	uint32_t epoch; /* the sample's */
	uint64_t time_ns;
};

/* From here to past_leave, what client_maps returns for the process tells of the sample's moment. */
void past_enter(struct past *past, struct modules *modules, struct process *process,
		uint32_t epoch, uint64_t time_ns);
void past_leave(struct process *process);

#endif
