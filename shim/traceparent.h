/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of a W3C traceparent header, or of TRACEPARENT in the environment, as binary ids.
 * Context: any. The parser is pure: no allocation, no state, no libc call, so it may be called in
 * BOOT, APP, HANDLER and AGENT alike.
 */
#ifndef SPANPROF_SHIM_TRACEPARENT_H
#define SPANPROF_SHIM_TRACEPARENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACEPARENT_SIZE 55 /* version 00; a later version may go on after a '-' */

#define TRACE_FLAG_SAMPLED 0x01
#define TRACE_FLAG_RANDOM 0x02 /* Level 2: the low 56 bits of the trace id are random */

struct trace_context {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t flags; /* TRACE_FLAG_*, nothing else */
};

/*
 * Parse the n bytes at s (spaces and tabs around the value are allowed). False: not a valid
 * traceparent, and *out is as it was. Looks at no more than the first TRACEPARENT_SIZE + 1 bytes
 * after the leading white space and at the trailing white space, so a caller with a bounded
 * buffer may cut a longer value there.
 */
bool traceparent_parse(const char *s, size_t n, struct trace_context *out);

#endif
