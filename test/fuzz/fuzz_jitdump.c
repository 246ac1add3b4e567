/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a jitdump, fed as a file of any size that grows: nothing is read outside of what was
 * given, ranges stay disjoint, and every name lies in the file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/jitdump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct jit_code *code, const uint8_t *data, size_t size)
{
	const char *file;
	size_t length;
	int64_t line;

	for (uint32_t i = 1; i < code->used; i++) {
		const struct jit_entry *e = jit_code_find(code, code->entries[i].start);

		if (!e)
			continue;
		if (e->start >= e->end || !e->length || e->length > JIT_TEXT_MAX ||
		    e->text + e->length > size || e->debug > size)
			abort();
		if (!e->debug)
			continue;
		jitdump_debug(data + e->debug, size - e->debug, &file, &length, &line);
		if (line < 0 || (file && length > size))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step = size ? 1 + data[size - 1] * (size_t)8 : 1, there = 0;
	struct jit_code code = {0};
	struct jitdump dump = {0};
	uint64_t at = 0;
	ssize_t used = 0;

	while (used >= 0 && there < size) {
		uint8_t *exact;

		there = there + step < size ? there + step : size;
		if (at >= there)
			continue;
		/* A copy of its own, so that a byte too far is a fault. */
		exact = malloc(there - at);
		if (!exact)
			abort();
		memcpy(exact, data + at, there - at);
		used = jitdump_feed(&dump, exact, there - at, at, &code, 1);
		free(exact);
		at += used > 0 ? (uint64_t)used : 0;
	}
	check(&code, data, size);
	jit_code_release(&code);
	return 0;
}
