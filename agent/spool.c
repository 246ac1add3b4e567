/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of at most SPOOL_ITEMS_MAX profiles and SPOOL_BYTES_MAX bytes. What is being sent has been
 * popped, so dropping the oldest never pulls bytes from under a transfer. Context: AGENT.
 */
#include "agent/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void spool_init(struct spool *s)
{
	memset(s, 0, sizeof(*s));
}

void spool_release(struct spool *s)
{
	struct spool_item item;

	while (spool_pop(s, &item))
		spool_item_release(&item);
}

void spool_item_release(struct spool_item *item)
{
	free(item->bytes);
	memset(item, 0, sizeof(*item));
}

bool spool_pop(struct spool *s, struct spool_item *item)
{
	struct spool_item *oldest = &s->items[s->head];

	if (!s->count)
		return false;
	*item = *oldest;
	memset(oldest, 0, sizeof(*oldest));
	s->head = (s->head + 1) % SPOOL_ITEMS_MAX;
	s->count--;
	s->bytes -= item->len;
	return true;
}

static void drop_oldest(struct spool *s)
{
	struct spool_item item;

	if (!spool_pop(s, &item))
		return;
	spool_item_release(&item);
	s->dropped++;
}

int spool_push(struct spool *s, const struct spool_item *item)
{
	/* Checked first: it must not push everything else out and then not fit either. */
	if (item->len > SPOOL_BYTES_MAX) {
		free(item->bytes);
		s->dropped++;
		return -EMSGSIZE;
	}
	while (s->count == SPOOL_ITEMS_MAX || s->bytes > SPOOL_BYTES_MAX - item->len)
		drop_oldest(s);
	s->items[(s->head + s->count) % SPOOL_ITEMS_MAX] = *item;
	s->count++;
	s->bytes += item->len;
	return 0;
}
