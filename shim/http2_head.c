/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_head.c - what a request's headers say: method, path, trace context. Called with each header
 * as it is decoded. Context: APP. Names are lower case by the protocol (RFC 9113, section 8.2).
 */
#include <string.h>

#include "shim/http2_step.h"

void http2_head_begin(struct http2 *h)
{
	memset(&h->head, 0, sizeof(h->head));
	propagator_begin(&h->propagator);
}

void http2_head_end(struct http2 *h)
{
	h->head.has_context = propagator_end(&h->propagator, &h->head.context);
}

static bool is(const char *name, size_t n, const char *wanted)
{
	return n == strlen(wanted) && !memcmp(name, wanted, n);
}

/* What fits of the value, up to any of the stops. */
static void copy(char *to, size_t room, const char *value, size_t n, const char *stops)
{
	size_t i;

	for (i = 0; i < n && i < room && value[i] && !strchr(stops, value[i]); i++)
		to[i] = value[i];
	to[i] = '\0';
}

void http2_head_header(void *arg, const char *name, size_t name_length, const char *value,
		       size_t value_length)
{
	struct http2 *h = arg;

	if (!h->is_head)
		return;
	if (is(name, name_length, ":method"))
		copy(h->head.method, REQUEST_METHOD_MAX, value, value_length, "");
	else if (is(name, name_length, ":path"))
		copy(h->head.target, REQUEST_TARGET_MAX, value, value_length, "?#");
	else
		propagator_header(&h->propagator, name, name_length, value, value_length);
}
