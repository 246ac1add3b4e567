/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mappings of a client process: the text of /proc/PID/maps as a sorted array.
 *
 * AGENT. The text is untrusted: it comes from a region that a host can write, or from a process
 * that chooses its own path names. Lines that do not parse are skipped and counted, never fatal.
 */
#ifndef SPANPROF_AGENT_MAPS_H
#define SPANPROF_AGENT_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAPS_MAX 65536		  /* the kernel's default vm.max_map_count is 65530 */
#define MAPS_TEXT_MAX (16u << 20) /* bytes read from a maps file */

struct maps_entry {
	uint64_t start, end; /* [start, end) */
	uint64_t offset;     /* of start in the file */
	uint64_t dev;	     /* dev_t as makedev() makes it */
	uint64_t inode;	     /* 0: no file behind it */
	const char *path;    /* never NULL; "" for anonymous memory; without " (deleted)" */
	bool exec, readable, writable, deleted;
};

/* What lay at addresses that have been given to something else since, or to nothing. */
struct maps_past {
	/* True: what the map says of pc does not hold; *entry is what does, or NULL if nobody knows. */
	bool (*find)(struct maps_past *past, uint64_t pc, const struct maps_entry **entry);
	uint64_t generation; /* names its entries, beside the map's own */
};

struct maps {
	struct maps_entry *entries; /* sorted by start, disjoint */
	size_t count;
	char *paths; /* what every entry's path points into */
	/*
	 * Names these contents: no two parses in a process's life have the same, so who caches
	 * something about an entry stores it beside the pointer. 0 before the first parse.
	 */
	uint64_t generation;
	struct maps_past *past; /* NULL: none; not owned */
	uint64_t malformed; /* lines dropped, over all parses: garbage, overlaps, over MAPS_MAX */
};

/* A generation that no contents have had. */
uint64_t maps_new_generation(void);

void maps_init(struct maps *maps);
void maps_release(struct maps *maps);

/* Replaces the contents. 0, or -ENOMEM with the contents untouched. */
int maps_parse(struct maps *maps, const char *text, size_t n);

/*
 * Reads an open /proc/PID/maps from its start. -ESRCH when it is empty, which is how a process
 * that has ended reads; the old contents stay then, for samples still to be drained.
 */
int maps_read_fd(struct maps *maps, int fd);

/* The entry that holds pc, or NULL. */
const struct maps_entry *maps_find(const struct maps *maps, uint64_t pc);

#endif
