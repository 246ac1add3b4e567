/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The traceparent parser on any bytes. What it accepts must come out the same when it is written
 * down as version 00 and parsed again; what it refuses must leave the result alone.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "shim/traceparent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t hex(char *out, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
	return 2 * n;
}

static size_t format(char *out, const struct trace_context *tc)
{
	size_t n = (size_t)sprintf(out, "00-");

	n += hex(out + n, tc->trace_id, sizeof(tc->trace_id));
	out[n++] = '-';
	n += hex(out + n, tc->span_id, sizeof(tc->span_id));
	out[n++] = '-';
	return n + hex(out + n, &tc->flags, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_context first, second;
	char text[TRACEPARENT_SIZE + 1];

	memset(&first, 0xee, sizeof(first));
	second = first;
	if (!traceparent_parse((const char *)data, size, &first)) {
		if (memcmp(&first, &second, sizeof(first)))
			__builtin_trap();
		return 0;
	}
	if (format(text, &first) != TRACEPARENT_SIZE)
		__builtin_trap();
	if (!traceparent_parse(text, TRACEPARENT_SIZE, &second))
		__builtin_trap();
	if (memcmp(&first, &second, sizeof(first)) || first.flags & ~3)
		__builtin_trap();
	return 0;
}
