/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_request.c - what a head says, as the identity of its request. APP. Every inbound request gets
 * one, traced or not: without, the work for an untraced one would pass for that of the last traced.
 */
#include <string.h>

#include "shim/conn_request.h"
#include "shim/live.h"
#include "shim/request.h"
#include "shim/thread.h"

_Static_assert(REQUEST_METHOD_MAX < FEED_METHOD_SIZE, "methods fit");

void conn_request(struct thread *t, struct feed_context *request, const struct request_head *head,
		  bool wanted)
{
	memset(request, 0, sizeof(*request));
	request->flags = FEED_CONTEXT_REQUEST;
	request->request = live_number();
	memcpy(request->method, head->method, sizeof(head->method));
	memcpy(request->target, head->target, sizeof(request->target) - 1);
	if (wanted && head->has_context && head->context.flags & TRACE_FLAG_SAMPLED) {
		request->flags |= FEED_CONTEXT_IDS;
		memcpy(request->trace_id, head->context.trace_id, sizeof(request->trace_id));
		memcpy(request->span_id, head->context.span_id, sizeof(request->span_id));
	}
	live_begin(request, t->tid, t->attribution.turn);
}
