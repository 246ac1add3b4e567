/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - a region and the processes that write into it, as the agent sees them: mapped, measured
 * against the file it really is, and never believed. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_CLIENT_H
#define SPANPROF_AGENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/maps.h"
#include "agent/stretch.h"
#include "shim/feed.h"

struct jit_process;
struct unloads;

/* A memory map that a process and the children it forked may share. */
struct mapset {
	unsigned references;
	struct maps maps;
};

struct process {
	uint32_t session; /* of its slot */
	uint32_t slot;
	pid_t pid;
	int pidfd;   /* -1: cannot be watched */
	int maps_fd; /* bound to its address space; -1: not readable */
	bool ended;
	uint64_t maps_read_ns; /* when they were last read, agent's clock */
	uint64_t maps_cost_ns; /* and how long that took */
	uint64_t checked_ns;   /* when its end was last looked for */
	uint64_t seen_ns;      /* when its last record came */
	struct mapset *mapset;
	uint32_t maps_epoch; /* of its slot when they were read */
	struct maps_past *past; /* goes with them, while a sample is looked at */
	struct unloads *unloads; /* unloads.c's; NULL: it never told of any */
	/* publish.c's: what the slot's snapshot is, and of which map and epoch. */
	uint32_t snapshot, published_epoch;
	uint64_t published_generation;
	struct jit_process *jit; /* jit.c's; NULL until a frame of run-time code came */
	unsigned vain; /* walk.c's: how often a new map was of no help, up to a bound */
	struct stretches left; /* of its threads that have ended */
};

struct publication;

/* The agent's side of one ring; what the region says is read anew each time. */
struct ring_reader {
	uint64_t tail;
	struct stretches stretches;
};

struct client {
	struct client *next;
	int memfd;
	struct feed_header *header;
	size_t size;
	/* Copies of the header's geometry, checked once; the region may change its own afterwards. */
	struct feed_process *slots;
	struct feed_ring *controls;
	struct feed_unload *log;
	uint32_t log_count;
	uint8_t *tables;
	uint32_t tables_size;
	uint8_t *data;
	uint32_t ring_count, ring_size;
	uint32_t maps_size;
	uint64_t maps_offset;
	struct feed_config config;
	bool foreign_pids; /* its process numbers are those of another pid namespace */
	int first_pidfd, first_maps_fd; /* of the attaching process, until its slot is seen; else -1 */
	pid_t first_pid;
	unsigned waited_for_claim;
	uint32_t process_count; /* processes below that are not NULL */
	struct process *processes[FEED_PROCESSES]; /* by slot */
	struct ring_reader *readers; /* ring_count of them */
	struct publication *publication; /* publish.c's */
};

/*
 * Adopt a region. Takes over the descriptors whatever happens; pidfd and maps may be -1. NULL with a
 * reason in *why: not a region, or not one that can be trusted to keep its size.
 */
struct client *client_new(int memfd, int pidfd, int maps, pid_t pid, const char **why);
void client_free(struct client *client);

/* Notice new processes in the slots, and the ends of known ones. Returns how many are live. */
unsigned client_update(struct client *client, uint64_t now_ns);
/* How many slots and rings there can be anything in. */
uint32_t client_slots(const struct client *client);
uint32_t client_rings(const struct client *client);
/* The ended process's records are all drained: its slot is free again. */
void client_forget(struct client *client, uint32_t slot, uint64_t now_ns);
/* The process of a ring's claim, or NULL. */
struct process *client_process(struct client *client, uint32_t slot, uint32_t session);
/* Its memory map; read now if it is not known, or again if stale and not read very recently. */
const struct maps *client_maps(struct client *client, struct process *process, bool stale,
			       uint64_t now_ns);
/* Let go of it. */
void client_maps_release(struct process *process);
/* Tell hosts that this agent is leaving; false: a process came meanwhile, and it stays. */
bool client_leave(struct client *client);
/* A host that waits, at its end, for what it did to be delivered: it is. */
void client_wake(struct client *client);
void client_enter(struct client *client, pid_t agent);

#endif
