/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_wire.h - bytes of HTTP/2 for tests: made frame by frame, or read from test/unit/http2/,
 * which has what curl, nghttp, h2load and gRPC's Python client said to nghttpd, Apache (upgrade)
 * and gRPC's Python server over loopback (NAME.requests), and were answered (NAME.answers).
 */
#ifndef SPANPROF_TEST_UNIT_HTTP2_WIRE_H
#define SPANPROF_TEST_UNIT_HTTP2_WIRE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/http2.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define DATA 0
#define HEADERS 1
#define RST_STREAM 3
#define SETTINGS 4
#define PUSH_PROMISE 5
#define GOAWAY 7
#define CONTINUATION 9
#define END_STREAM 1
#define END_HEADERS 4
#define PADDED 8
#define PRIORITY 0x20

struct wire {
	size_t n;
	uint8_t bytes[256 * 1024];
};

static inline void put(struct wire *w, const void *bytes, size_t n)
{
	assert_true(w->n + n <= sizeof(w->bytes));
	memcpy(w->bytes + w->n, bytes, n);
	w->n += n;
}

static inline void frame(struct wire *w, uint8_t type, uint8_t flags, uint32_t stream,
			 const void *payload, size_t n)
{
	uint8_t header[9] = {(uint8_t)(n >> 16),
			     (uint8_t)(n >> 8),
			     (uint8_t)n,
			     type,
			     flags,
			     (uint8_t)(stream >> 24),
			     (uint8_t)(stream >> 16),
			     (uint8_t)(stream >> 8),
			     (uint8_t)stream};

	put(w, header, sizeof(header));
	put(w, payload, n);
}

/* A client's or, without the preface, a server's first bytes. */
static inline void start(struct wire *w, const char *preface)
{
	w->n = 0;
	put(w, preface, strlen(preface));
	frame(w, SETTINGS, 0, 0, "", 0);
}

/* A literal header that enters no table. */
static inline size_t literal(uint8_t *block, const char *name, const char *value)
{
	size_t a = strlen(name), b = strlen(value);

	assert_true(a < 127 && b < 127);
	block[0] = 0;
	block[1] = (uint8_t)a;
	memcpy(block + 2, name, a);
	block[2 + a] = (uint8_t)b;
	memcpy(block + 3 + a, value, b);
	return 3 + a + b;
}

/* GET path with a traceparent that ends in digit ('-': without). */
static inline size_t get_block(uint8_t *block, const char *path, char digit)
{
	char value[64];
	size_t n = literal(block, ":method", "GET");

	n += literal(block + n, ":path", path);
	snprintf(value, sizeof(value), "00-1234567890123456789012345678901%c-123456789012345%c-01",
		 digit, digit);
	return digit == '-' ? n : n + literal(block + n, "traceparent", value);
}

static inline void get(struct wire *w, uint32_t stream, uint8_t flags, const char *path, char digit)
{
	uint8_t block[512];

	frame(w, HEADERS, flags, stream, block, get_block(block, path, digit));
}

static inline void captured(struct wire *w, const char *name)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "test/unit/http2/%s", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	w->n = fread(w->bytes, 1, sizeof(w->bytes), f);
	assert_true(w->n > 0 && feof(f));
	fclose(f);
}

#endif
