/* SPDX-License-Identifier: Apache-2.0 */
/*
 * span.h - what a thread is working on, as the handler reads it, and as an external reader does
 * through the OpenTelemetry thread context (OTEP 4947, symbol otel_thread_ctx_v1).
 *
 * The writer (a wrapper, APP) and the reader (the handler, HANDLER) are the same thread, so only the
 * compiler can reorder: the writer fills the copy that is not in use and flips an index between two
 * signal fences. A reader never waits and never sees half a context.
 */
#ifndef SPANPROF_SHIM_SPAN_H
#define SPANPROF_SHIM_SPAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/feed.h"

/* OTEP 4947's record, without attributes: packed, native byte order, at least 2-byte aligned. */
struct span_record {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t valid;
	uint8_t trace_flags;
	uint16_t attrs_data_size;
} __attribute__((aligned(8)));

struct span_copy {
	uint64_t stretch;
	uint32_t flags; /* FEED_SAMPLE_OPEN or 0 */
	struct feed_context context;
	struct span_record record;
};

struct span {
	struct span_copy copies[2];
	_Atomic uint32_t index;
	/* The last stretch that the handler took an open sample in: its end must be told. Writer the
	 * handler; reader the wrappers of the same thread. */
	_Atomic uint64_t sampled;
};

extern __thread void *otel_thread_ctx_v1 __attribute__((tls_model("initial-exec")));

/* APP. Begin the thread's next stretch. open: its end will say whose it was, context is the guess. */
void span_begin(struct span *span, const struct feed_context *context, bool open);
/* Any context of the same thread. */
static inline const struct span_copy *span_read(const struct span *span)
{
	return &span->copies[atomic_load_explicit(&span->index, memory_order_relaxed) & 1];
}

#endif
