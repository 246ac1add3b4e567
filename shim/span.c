/* SPDX-License-Identifier: Apache-2.0 */
/*
 * span.c - publishes a thread's context: to its own handler and to readers of the OpenTelemetry thread
 * context. APP; touches thread-local memory only.
 */
#include <string.h>

#include "shim/span.h"

#define SPAN_SAMPLED 1 /* W3C trace flag: what the context's ids imply */

/*
 * The slot that OTEP 4947 names. Ours comes first in the search order, so an OpenTelemetry library
 * that defines it writes into this very variable: NULL or one of our records means it is ours to set.
 */
__attribute__((visibility("default"))) __thread void *otel_thread_ctx_v1;

static bool span_owns_slot(const struct span *span)
{
	return !otel_thread_ctx_v1 || otel_thread_ctx_v1 == &span->copies[0].record ||
	       otel_thread_ctx_v1 == &span->copies[1].record;
}

void span_begin(struct span *span, const struct feed_context *context, bool open)
{
	uint32_t index = atomic_load_explicit(&span->index, memory_order_relaxed) & 1;
	const struct span_copy *old = &span->copies[index];
	struct span_copy *new = &span->copies[index ^ 1];
	bool has_ids = context->flags & FEED_CONTEXT_IDS;

	new->stretch = old->stretch + 1;
	new->flags = open ? FEED_SAMPLE_OPEN : 0;
	new->context = *context;
	memcpy(new->record.trace_id, context->trace_id, sizeof(new->record.trace_id));
	memcpy(new->record.span_id, context->span_id, sizeof(new->record.span_id));
	new->record.valid = has_ids;
	new->record.trace_flags = has_ids ? SPAN_SAMPLED : 0;
	new->record.attrs_data_size = 0;

	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&span->index, index ^ 1, memory_order_relaxed);
	if (span_owns_slot(span))
		otel_thread_ctx_v1 = has_ids ? &new->record : NULL;
	atomic_signal_fence(memory_order_seq_cst);
}
