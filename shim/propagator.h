/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers that carry trace context between services, in the formats that OTEL_PROPAGATORS
 * names: collects those of one head, whatever the protocol that the head came in, and says which
 * context they mean. W3C Trace Context is always on; its header, where there is one, decides alone.
 * Context: APP, but for propagator_enable() (BOOT). No allocation, no lock, no errno.
 */
#ifndef SPANPROF_SHIM_PROPAGATOR_H
#define SPANPROF_SHIM_PROPAGATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/traceparent.h"

/* Strongest first: a head that has headers of several is read by the first of these. */
enum propagator_format {
	PROPAGATOR_NONE,
	PROPAGATOR_TRACECONTEXT,
	PROPAGATOR_B3,
	PROPAGATOR_B3MULTI,
	PROPAGATOR_JAEGER,
	PROPAGATOR_DATADOG,
};

/* X(name as in HTTP/2, that is in lower case; its format; what reads it, in propagator.c) */
#define PROPAGATOR_HEADERS(X)                                  \
	X("traceparent", TRACECONTEXT, traceparent)            \
	X("b3", B3, b3)                                        \
	X("x-b3-traceid", B3MULTI, b3_trace)                   \
	X("x-b3-spanid", B3MULTI, b3_span)                     \
	X("x-b3-sampled", B3MULTI, b3_sampled)                 \
	X("x-b3-flags", B3MULTI, b3_flags)                     \
	X("uber-trace-id", JAEGER, uber)                       \
	X("x-datadog-trace-id", DATADOG, datadog_trace)        \
	X("x-datadog-parent-id", DATADOG, datadog_parent)      \
	X("x-datadog-sampling-priority", DATADOG, datadog_priority) \
	X("x-datadog-tags", DATADOG, datadog_tags)

enum { PROPAGATOR_HEADERS_MAX = 11, PROPAGATOR_NAME_MAX = 27 };

/*
 * As much of a value as a scanner has to hold. Only x-datadog-tags and later versions of
 * traceparent are longer; what is cut off the former may cost the context, never falsify it.
 */
#define PROPAGATOR_VALUE_MAX 80

/* The headers of one head so far. Zeroed memory is one with none. */
struct propagator {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t format; /* enum propagator_format of what is held */
	uint8_t flags;	/* private to propagator.c */
	uint16_t seen;	/* bit set by index: headers of that format so far */
};

/* Names by index, 0 to PROPAGATOR_HEADERS_MAX - 1. */
extern const char *const propagator_names[PROPAGATOR_HEADERS_MAX];

/* Bit set by index: the headers that are read at all. Written in BOOT only. */
extern uint16_t propagator_enabled;

/*
 * Bit (1 << enum propagator_format) of a name in OTEL_PROPAGATORS; 0: one that is known and carries
 * nothing here (baggage, none); -1: unknown. Pure.
 */
int propagator_format_named(const char *name, size_t n);
/* formats: a set of such bits. BOOT. */
void propagator_enable(uint32_t formats);

void propagator_begin(struct propagator *p);
/* A whole name, in any case, and a whole value of the head; in any order. */
void propagator_header(struct propagator *p, const char *name, size_t name_length,
		       const char *value, size_t value_length);
/*
 * The same of the header with that index. cut: the value goes on after these n bytes, which must
 * then be PROPAGATOR_VALUE_MAX. value NULL: it has one that cannot be read (a folded line).
 */
void propagator_take(struct propagator *p, unsigned int header, const char *value, size_t n,
		     bool cut);
/* The head is complete. False, and *out zeroed: it names no context, or not clearly one. */
bool propagator_end(const struct propagator *p, struct trace_context *out);

#endif
