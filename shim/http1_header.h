/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header lines of an HTTP/1 request that matter, behind a set of names that shrinks byte by
 * byte and so needs no buffer. Private to http1.c. Context: APP.
 */
#ifndef SPANPROF_SHIM_HTTP1_HEADER_H
#define SPANPROF_SHIM_HTTP1_HEADER_H

#include "shim/http1.h"

/* What the head said so far: p->seen. */
enum http1_seen {
	SEEN_LINE = 1, /* a header line, of whatever name */
	SEEN_LENGTH = 2,
	SEEN_CODING = 4,  /* Transfer-Encoding, of whatever kind */
	SEEN_CHUNKED = 8, /* ... whose last coding is chunked */
	SEEN_UPGRADE = 16,
	SEEN_CONNECTION_UPGRADE = 32,
	SEEN_FOLD = 64, /* a continuation line after the value held */
	SEEN_HTTP10 = 128,
};

/* A bit for each header that matters here and now. */
uint16_t http1_header_names(void);

/* Those of names that have the byte c at pos. */
uint16_t http1_header_narrow(uint16_t names, size_t pos, char c);

/* The header (1 + its index) whose name ended after pos bytes; 0: none that matters. */
uint8_t http1_header_match(uint16_t names, size_t pos);

/* Does it decide where the message ends? */
bool http1_header_framing(uint8_t header);

/*
 * Act on p->header, whose first HTTP1_VALUE_MAX bytes are in p->value and whose length is p->end.
 * To be called when the next line has begun: only then is it known whether the value was folded.
 * 0 or -EPROTO: where this message ends is in doubt.
 */
int http1_header_take(struct http1 *p);

#endif
