/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_maps.c - what a client process has mapped: read from /proc through the descriptor that came
 * with it, from the copy it left in the region, or its parent's. AGENT.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/client.h"
#include "agent/clock.h"
#include "agent/unloads.h"

#define CLIENT_MAPS_NS 20000000ULL /* between two reads of a process's maps, at least */
#define CLIENT_MAPS_TRIES 3
#define CLIENT_MAPS_SHARE 50	   /* and at least so many times what the last one took */

static void mapset_put(struct mapset *set)
{
	if (!set)
		return;
	set->maps.past = NULL;
	if (--set->references)
		return;
	maps_release(&set->maps);
	free(set);
}

/* The copy that the attaching process left in the region. */
static int parse_copy(struct client *c, struct maps *maps)
{
	uint32_t length = atomic_load_explicit(&c->header->maps_length, memory_order_acquire);
	char *text;
	int error;

	if (length == 0 || length > c->maps_size)
		return -ENODATA;
	text = malloc(length);
	if (!text)
		return -ENOMEM;
	memcpy(text, (uint8_t *)c->header + c->maps_offset, length);
	error = maps_parse(maps, text, length);
	free(text);
	return error;
}

/* A map is of an epoch if no dlclose ran from before the reading until after it: not what one that is
 * about to end leaves behind, nor what came to lie there. One that never ends is not waited for. */
static bool read_of_epoch(struct client *c, struct process *p, struct maps *maps, uint32_t *epoch,
			  uint64_t now_ns)
{
	bool must = p->ended || unloads_impatient(p, now_ns);

	for (int i = 0; i < CLIENT_MAPS_TRIES; i++) {
		uint32_t after;

		if (!unloads_quiet(c, p, epoch) && !must)
			continue;
		if ((p->maps_fd < 0 || maps_read_fd(maps, p->maps_fd) != 0) &&
		    (p->mapset || p->pid != c->first_pid || parse_copy(c, maps) != 0))
			return false;
		if ((unloads_quiet(c, p, &after) && after == *epoch) || must)
			return true;
	}
	return false;
}

static void read_maps(struct client *c, struct process *p, uint64_t now_ns)
{
	struct mapset *set = p->mapset;
	struct maps maps;
	uint32_t epoch;

	maps_init(&maps);
	if (set)
		maps.malformed = set->maps.malformed;
	if (!read_of_epoch(c, p, &maps, &epoch, now_ns))
		goto out;
	/* Its own set, before writing into one that it shares. */
	if (!set || set->references > 1) {
		set = calloc(1, sizeof(*set));
		if (!set)
			goto out;
		set->references = 1;
		mapset_put(p->mapset);
		p->mapset = set;
	}
	maps_release(&set->maps);
	set->maps = maps;
	p->maps_epoch = epoch;
	/* What went while it was read is told by now. */
	unloads_take(c, now_ns);
	return;
out:
	maps_release(&maps);
}

/* A runtime that starts maps code all the time, and what is in no known mapping has no name and no
 * caller: read soon, but of a host with a great map not so often that it is all we do. */
const struct maps *client_maps(struct client *c, struct process *p, bool stale, uint64_t now_ns)
{
	static const struct maps none;
	uint64_t wait_ns = CLIENT_MAPS_SHARE * p->maps_cost_ns;

	if (wait_ns < CLIENT_MAPS_NS)
		wait_ns = CLIENT_MAPS_NS;
	if ((!p->mapset || stale) && now_ns - p->maps_read_ns >= wait_ns) {
		uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);

		p->maps_read_ns = now_ns;
		read_maps(c, p, now_ns);
		p->maps_cost_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	}
	if (!p->mapset)
		return &none;
	p->mapset->maps.past = p->past;
	return &p->mapset->maps;
}

void client_maps_release(struct process *p)
{
	mapset_put(p->mapset);
	p->mapset = NULL;
}
