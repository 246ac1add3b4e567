/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbol_perfmap.h - the text of /tmp/perf-PID.map, in which a process lists the code that it makes
 * at run time: a line "START SIZE name" for each, START and SIZE in hexadecimal. Context: AGENT.
 * The text is untrusted: lines that do not parse are skipped and counted.
 */
#ifndef SPANPROF_AGENT_SYMBOL_PERFMAP_H
#define SPANPROF_AGENT_SYMBOL_PERFMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/jit_code.h"

#define PERFMAP_LINE_MAX 16384 /* bytes; a longer line is skipped */

/* All zero at the file's beginning. */
struct perfmap {
	bool skipping; /* within a line that is too long */
	uint64_t malformed;
};

/*
 * n bytes that stand at offset in the file, whole lines as far as they go; source is for the
 * entries. Returns how many were consumed: 0 needs more than PERFMAP_LINE_MAX bytes or the rest of
 * the line.
 */
size_t perfmap_feed(struct perfmap *map, const char *text, size_t n, uint64_t offset,
		    struct jit_code *code, uint32_t source);

#endif
