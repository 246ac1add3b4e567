/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_api.c - the functions behind spanprof.h: a program says itself what a thread works on. APP.
 */
#include <string.h>

#include "shim/attribute.h"
#include "shim/live.h"
#include "shim/observe.h"
#include "shim/spanprof.h"
#include "shim/traceparent.h"

_Static_assert(sizeof(struct feed_context) <= sizeof(struct spanprof_context), "a context fits");

static int enter(struct thread *t, const struct feed_context *request)
{
	return attribute_enter(t, request) ? 0 : ENOSPC;
}

static int enter_named(struct thread *t, const char *traceparent)
{
	struct feed_context request = {.flags = FEED_CONTEXT_REQUEST, .request = live_number()};
	/* What does not end within that is not valid, whatever it is. */
	size_t length = traceparent ? strnlen(traceparent, 2 * TRACEPARENT_SIZE) : 0;
	struct trace_context parsed;

	if (traceparent_parse(traceparent, length, &parsed) && parsed.flags & TRACE_FLAG_SAMPLED) {
		request.flags |= FEED_CONTEXT_IDS;
		memcpy(request.trace_id, parsed.trace_id, sizeof(request.trace_id));
		memcpy(request.span_id, parsed.span_id, sizeof(request.span_id));
	}
	return enter(t, &request);
}

static int capture(struct thread *t, struct spanprof_context *context)
{
	const struct feed_context *request = attribute_known(t);

	if (!request)
		return ENOENT;
	memcpy(context, request, sizeof(*request));
	return 0;
}

static int resume(struct thread *t, const struct spanprof_context *context)
{
	struct feed_context request;

	memcpy(&request, context, sizeof(request));
	request.method[FEED_METHOD_SIZE - 1] = request.target[FEED_TARGET_SIZE - 1] = '\0';
	if (!(request.flags & FEED_CONTEXT_REQUEST))
		request.flags = FEED_CONTEXT_REQUEST;
	return enter(t, &request);
}

EXPORT int spanprof1_enter(const char *traceparent)
{
	int error = ENOSYS;

	OBSERVE(error = enter_named(thread, traceparent));
	return error;
}

EXPORT int spanprof1_capture(struct spanprof_context *context)
{
	int error = ENOSYS;

	memset(context, 0, sizeof(*context));
	OBSERVE(error = capture(thread, context));
	return error;
}

EXPORT int spanprof1_resume(const struct spanprof_context *context)
{
	int error = ENOSYS;

	OBSERVE(error = resume(thread, context));
	return error;
}

EXPORT void spanprof1_leave(void)
{
	OBSERVE(attribute_leave(thread));
}
