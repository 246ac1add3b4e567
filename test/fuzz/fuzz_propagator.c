/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The propagators on any headers, "name: value" a line. In whatever order they come, those of one format
 * must mean the same; a context has ids that are not zero, and no flags that are not defined.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/propagator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void header(struct propagator *p, const char *s, size_t n)
{
	const char *colon = memchr(s, ':', n);
	size_t name = colon ? (size_t)(colon - s) : n, value = colon ? n - name - 1 : 0;
	char *copy = malloc(value);

	if (value)
		memcpy(copy, colon + 1, value);
	propagator_header(p, s, name, copy, value);
	free(copy);
}

static bool read_all(const char *s, size_t n, bool backwards, struct trace_context *out)
{
	struct propagator p;

	propagator_begin(&p);
	while (n) {
		const char *end = backwards ? memrchr(s, '\n', n) : memchr(s, '\n', n);
		size_t line;

		if (backwards) {
			line = end ? (size_t)(s + n - end - 1) : n;
			header(&p, s + n - line, line);
			n -= end ? line + 1 : line;
		} else {
			line = end ? (size_t)(end - s) : n;
			header(&p, s, line);
			line += end ? 1 : 0;
			s += line;
			n -= line;
		}
	}
	return propagator_end(&p, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t zeros[16];
	struct trace_context forwards, backwards;
	bool has;

	propagator_enable(0xff);
	has = read_all((const char *)data, size, false, &forwards);
	if (has != read_all((const char *)data, size, true, &backwards) ||
	    memcmp(&forwards, &backwards, sizeof(forwards)))
		__builtin_trap();
	if (has && (!memcmp(forwards.trace_id, zeros, 16) || !memcmp(forwards.span_id, zeros, 8) ||
		    forwards.flags & ~(TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM)))
		__builtin_trap();
	return 0;
}
