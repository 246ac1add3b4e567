/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request of gRPC costs the HTTP/2 scanner: its HEADERS frame (everything but the trace
 * context and the deadline in the table, as clients send it from the second call on), decoded and
 * entered as a live stream; and a browser-like one with Huffman codes that fills the table. Prints
 * nanoseconds for each, the median of ROUNDS batches, and what of a connection's memory was
 * touched.
 *
 * usage: hpack_bench
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "shim/http2.h"
#include "shim/http2_pool.h"

#define ROUNDS 201
#define BATCH 1000

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
/* Eight headers enter the table, as grpc-c sends them at first. */
static const char first[] = "@\5:path\16/shop.Cart/Add@\12:authority\17"
			    "127.0.0.1:18085\x83\x86"
			    "@\14content-type\20application/grpc@\2te\10trailers"
			    "@\24grpc-accept-encoding\27identity, deflate, gzip"
			    "@\12user-agent\60grpc-python/1.51.1 grpc-c/29.0.0 (linux; chttp2)";
static const char later[] = "\xc3\xc2\x83\x86\xc1\xc0\xbf\xbe\0\14grpc-timeout\0055010m"
			    "\0\13traceparent\67"
			    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/* :path with a Huffman code, and a traceparent that is entered into the table (curl does so). */
static const char huffman[] =
    "\x82\4\x85\x60\x7f\xe7\x98\3\x86\x41\x8b\10\x9d\\\13\x81\x70\xdc\13\xc0"
    "\x78\x3f@\x88M\x83!k\x1d\x85\xa9?\67"
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

static uint32_t next_stream;

static size_t request(uint8_t *to, const char *block, size_t n)
{
	uint32_t id = next_stream += 2;
	uint8_t header[9] = {
	    0,		(uint8_t)(n >> 8),   (uint8_t)n,	  1,
	    4,		(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
	    (uint8_t)id};

	memcpy(to, header, 9);
	memcpy(to + 9, block, n);
	return n + 9;
}

static void feed(struct http2 *h, const uint8_t *bytes, size_t n)
{
	while (n) {
		ssize_t took = http2_feed(h, bytes, n);

		if (took <= 0 || !http2_head(h)->method[0]) {
			fprintf(stderr, "hpack_bench: no head: %zd\n", took);
			exit(1);
		}
		http2_begin(h, http2_stream(h));
		http2_end(h, http2_stream(h));
		bytes += took;
		n -= (size_t)took;
	}
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

static void measure(const char *name, const char *opening, size_t opening_n, const char *block,
		    size_t n)
{
	static uint8_t bytes[BATCH * 512];
	static double ns[ROUNDS];
	struct http2 *h = http2_open(0);
	unsigned char pages[HTTP2_BYTES_EACH / 4096];
	int touched = 0;

	next_stream = 1;
	http2_feed(h, preface, sizeof(preface));
	if (opening_n)
		feed(h, bytes, request(bytes, opening, opening_n));
	for (int round = 0; round < ROUNDS; round++) {
		size_t size = 0;

		for (int i = 0; i < BATCH; i++)
			size += request(bytes + size, block, n);
		ns[round] = now_ns();
		feed(h, bytes, size);
		ns[round] = (now_ns() - ns[round]) / BATCH;
	}
	qsort(ns, ROUNDS, sizeof(*ns), by_value);
	mincore(h, HTTP2_BYTES_EACH, pages);
	for (size_t i = 0; i < sizeof(pages); i++)
		touched += pages[i] & 1;
	printf("%s: %.0f ns a request of %zu bytes; %d KiB of a connection's %d touched\n", name,
	       ns[ROUNDS / 2], n + 9, touched * 4, HTTP2_BYTES_EACH / 1024);
	http2_close(h);
}

int main(void)
{
	measure("gRPC", first, sizeof(first) - 1, later, sizeof(later) - 1);
	measure("Huffman codes, table full", NULL, 0, huffman, sizeof(huffman) - 1);
	return 0;
}
