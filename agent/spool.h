/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoded profiles that wait for the server: a bounded queue in memory. When it is full the oldest
 * go, since the newest is what somebody who looks at a running incident needs. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_SPOOL_H
#define SPANPROF_AGENT_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_BYTES_MAX (16u << 20)
#define SPOOL_ITEMS_MAX 64u

/* One profile. Whoever holds the item owns bytes; all else is plain values. */
struct spool_item {
	void *bytes; /* malloc'ed gzipped pprof */
	size_t len;
	uint64_t from_ns, until_ns;	/* unix time */
	const char *sample_type_config; /* JSON of static lifetime, NULL: none */
	unsigned tries;			/* the uploader's */
};

struct spool {
	struct spool_item items[SPOOL_ITEMS_MAX];
	unsigned head, count;
	size_t bytes;
	uint64_t dropped; /* items that found no room */
};

void spool_init(struct spool *s);
void spool_release(struct spool *s);

/* Takes over item->bytes whatever it returns: -EMSGSIZE (dropped, counted) if it can never fit. */
int spool_push(struct spool *s, const struct spool_item *item);

/* The oldest item, whose bytes are then the caller's; false when empty. */
bool spool_pop(struct spool *s, struct spool_item *item);

void spool_item_release(struct spool_item *item);

#endif
