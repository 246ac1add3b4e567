/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jitdump.h - the records of a jit-PID.dump file, in which a process tells of code that it makes at
 * run time (format: jitdump-specification.txt in the Linux tree's tools/perf). Context: AGENT. The
 * bytes are untrusted. Of the records that load, move and describe code, what names it is taken;
 * the code itself and its unwind data are passed over unread.
 */
#ifndef SPANPROF_AGENT_JITDUMP_H
#define SPANPROF_AGENT_JITDUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/jit_code.h"

/* No feed needs more bytes than this at once. */
#define JITDUMP_LOOK_MAX (64 + JIT_TEXT_MAX)

/* All zero at the file's beginning. */
struct jitdump {
	bool started; /* past the header */
	/* The debug information that came last: it precedes the code it is about. */
	uint64_t debug_address, debug;
	uint64_t malformed; /* records that are well framed, but make no sense */
};

/*
 * n bytes that stand at offset in the file; source is for the entries. > 0: consumed, more than n
 * where a record's body can be passed over; 0: needs more; -EBADMSG: not a dump of this machine, or
 * framed so that nothing behind can be found.
 */
ssize_t jitdump_feed(struct jitdump *dump, const uint8_t *bytes, size_t n, uint64_t offset,
		     struct jit_code *code, uint32_t source);

/*
 * n bytes from an entry's debug on: the file it was compiled from, not ended by a NUL and NULL if
 * there is none, and the line it begins at, 0 unless known.
 */
void jitdump_debug(const uint8_t *bytes, size_t n, const char **file, size_t *length,
		   int64_t *line);

#endif
