/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows a head in the HTTP/1 scanner, and the steps over it: a known length, or chunks
 * with their extensions and trailers (RFC 9112, sections 6 and 7). Called by http1.c. Context:
 * APP. Nothing in a body is looked at, and a trailer is never taken for a header.
 */
#include "shim/http1_step.h"

#include <string.h>

#include "shim/hex.h"
#include "shim/http1_header.h"
#include "shim/ows.h"

int http1_body_begin(struct http1 *p)
{
	struct request_head *r = &p->request;
	bool coded = p->seen & SEEN_CODING;

	if (coded && !(p->seen & SEEN_CHUNKED))
		return -EPROTO;
	r->upgrade = p->seen & SEEN_UPGRADE && p->seen & SEEN_CONNECTION_UPGRADE;
	r->upgrade_http2 &= r->upgrade;
	r->has_context = propagator_end(&p->propagator, &r->context);
	p->head = p->pos = 0;
	/* A tunnel; and HTTP/1.0 has no chunks, so its framing is in doubt (section 6.1). */
	if (!strcmp(r->method, "CONNECT") || (coded && p->seen & SEEN_HTTP10)) {
		http1_give_up(p, -EPROTO);
		return 0;
	}
	if (coded)
		p->left = 0; /* Transfer-Encoding overrides Content-Length: section 6.3 */
	p->state = coded ? IN_CHUNK_SIZE : p->left ? IN_BODY : AT_START;
	return 0;
}

ssize_t http1_step_body(struct http1 *p, const char *s, size_t n)
{
	size_t took = n < p->left ? n : (size_t)p->left;

	p->left -= took;
	if (!p->left) {
		p->pos = 0;
		p->state = p->state == IN_CHUNK ? AFTER_CHUNK : MESSAGE_DONE;
	}
	return (ssize_t)took;
}

ssize_t http1_step_chunk_size(struct http1 *p, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++, p->pos++) {
		int digit = hex_digit(s[i]);

		if (digit < 0 && p->pos) {
			p->state = AFTER_CHUNK_SIZE;
			return (ssize_t)i;
		}
		if (digit < 0 || p->left >> 59)
			return -EPROTO;
		p->left = p->left << 4 | (uint64_t)digit;
	}
	return (ssize_t)n;
}

ssize_t http1_step_after_chunk_size(struct http1 *p, const char *s, size_t n)
{
	enum http1_state next = p->left ? IN_CHUNK : AT_TRAILER;

	if (is_ows(*s))
		return 1;
	return *s == ';' ? http1_skip_line(p, next) : http1_line_end(p, *s, next);
}

ssize_t http1_step_after_chunk(struct http1 *p, const char *s, size_t n)
{
	return http1_line_end(p, *s, IN_CHUNK_SIZE);
}

ssize_t http1_step_trailer(struct http1 *p, const char *s, size_t n)
{
	if (*s == '\r' || *s == '\n')
		return http1_line_end(p, *s, MESSAGE_DONE);
	return http1_skip_line(p, AT_TRAILER);
}
