/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_stream.c - the live requests of a connection, by stream id. Context: APP. Clients number
 * their streams upwards, so the table stays in order by appending, and its first entry is the
 * oldest.
 */
#include <string.h>

#include "shim/http2_step.h"

/* The first entry whose id is not below id; count if there is none. */
static uint32_t place_of(const struct http2 *h, uint32_t id)
{
	uint32_t low = 0, high = h->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (h->streams[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void take_out(struct http2 *h, uint32_t place)
{
	struct http2_stream *s = &h->streams[place];

	h->count--;
	memmove(s, s + 1, (h->count - place) * sizeof(*s));
}

struct http2_stream *http2_find(struct http2 *h, uint32_t id)
{
	uint32_t place = place_of(h, id);

	return place < h->count && h->streams[place].id == id ? &h->streams[place] : NULL;
}

struct http2_stream *http2_begin(struct http2 *h, uint32_t id)
{
	struct http2_stream *s = http2_find(h, id);
	uint32_t place;

	if (!s) {
		if (h->count == HTTP2_STREAMS_MAX) {
			take_out(h, 0);
			h->forgotten++;
		}
		place = place_of(h, id);
		s = &h->streams[place];
		memmove(s + 1, s, (h->count - place) * sizeof(*s));
		h->count++;
	}
	if (h->last_stream < id)
		h->last_stream = id;
	memset(s, 0, sizeof(*s));
	s->id = id;
	return s;
}

void http2_end(struct http2 *h, uint32_t id)
{
	struct http2_stream *s = http2_find(h, id);

	if (s)
		take_out(h, (uint32_t)(s - h->streams));
	else if (h->forgotten && id & 1 && id <= h->last_stream)
		h->forgotten--;
}

struct http2_stream *http2_streams(struct http2 *h, size_t *count)
{
	*count = h->count;
	return h->streams;
}

size_t http2_live(const struct http2 *h)
{
	return h->count + h->forgotten;
}
