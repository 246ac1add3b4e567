/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/1 scanner on any bytes. The first two bytes of the input say where to cut the rest:
 * fed whole and fed in two pieces (each a heap block of its exact size) it must report the same
 * heads at the same offsets and come to the same end, and never take in more than it was given.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct record {
	size_t heads, at[64];
	struct request_head request[64];
	ssize_t error;
	enum http1_where where;
};

static void feed(struct http1 *p, const uint8_t *s, size_t n, size_t at, struct record *r)
{
	uint8_t *piece = malloc(n);
	size_t off = 0;

	memcpy(piece, s, n);
	while (off < n && !r->error) {
		ssize_t took = http1_feed(p, piece + off, n - off);

		if (took > (ssize_t)(n - off))
			__builtin_trap();
		off += took > 0 ? (size_t)took : n - off;
		r->error = took < 0 ? took : 0;
		if (took > 0 && r->heads < 64) {
			r->at[r->heads] = at + off;
			r->request[r->heads++] = *http1_request(p);
		}
	}
	r->where = http1_where(p);
	free(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record whole = {0}, split = {0};
	struct http1 one = {0}, two = {0};
	size_t cut;

	if (size < 3)
		return 0;
	size -= 2;
	cut = (size_t)(data[0] | data[1] << 8) % size;
	feed(&one, data + 2, size, 0, &whole);
	feed(&two, data + 2, cut, 0, &split);
	feed(&two, data + 2 + cut, size - cut, cut, &split);
	if (memcmp(&whole, &split, sizeof(whole)))
		__builtin_trap();
	return 0;
}
