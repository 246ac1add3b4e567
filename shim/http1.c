/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/1 request scanner (RFC 9112) as its callers see it: drives the steps of http1_head.c
 * and http1_body.c, bounds them, and reports the heads. Called by conn.c for inbound bytes.
 * Context: APP; no allocation, no lock, no errno. It never guesses: where servers are known to
 * disagree on where a message ends, it gives the connection up, because a request that is missed
 * costs a label and one that is made up lends a stranger's.
 */
#include "shim/http1.h"

#include <string.h>

#include "shim/http1_step.h"

static ssize_t step_lf(struct http1 *p, const char *s, size_t n)
{
	return *s == '\n' ? http1_line_end(p, *s, p->next) : -EPROTO;
}

static ssize_t step_skip(struct http1 *p, const char *s, size_t n)
{
	const char *lf = memchr(s, '\n', n);
	size_t line = lf ? (size_t)(lf - s) : n;
	const char *cr = memchr(s, '\r', line);

	if (memchr(s, '\0', line) || (cr && cr + 1 != s + line))
		return -EPROTO;
	if (lf || cr)
		p->state = lf ? p->next : AT_LF;
	return (ssize_t)(lf ? line + 1 : n);
}

static ssize_t (*const steps[])(struct http1 *p, const char *s, size_t n) = {
    [AT_START] = http1_step_start,
    [IN_METHOD] = http1_step_method,
    [IN_TARGET] = http1_step_target,
    [IN_VERSION] = http1_step_version,
    [AFTER_VERSION] = http1_step_after_version,
    [AT_LINE] = http1_step_line,
    [IN_NAME] = http1_step_name,
    [IN_VALUE] = http1_step_value,
    [IN_BODY] = http1_step_body,
    [IN_CHUNK_SIZE] = http1_step_chunk_size,
    [AFTER_CHUNK_SIZE] = http1_step_after_chunk_size,
    [IN_CHUNK] = http1_step_body,
    [AFTER_CHUNK] = http1_step_after_chunk,
    [AT_TRAILER] = http1_step_trailer,
    [IN_SKIP] = step_skip,
    [AT_LF] = step_lf,
};

/*
 * One step. Bytes that are not body are shown to it only as far as HTTP1_HEAD_MAX allows, so
 * that the bound falls on the same byte however the stream was cut.
 */
static ssize_t step(struct http1 *p, const char *s, size_t n)
{
	bool body = p->state == IN_BODY || p->state == IN_CHUNK;
	ssize_t took;

	if (body)
		p->head = 0;
	else if (p->head >= HTTP1_HEAD_MAX)
		return -E2BIG;
	else if (n > HTTP1_HEAD_MAX - p->head)
		n = HTTP1_HEAD_MAX - p->head;
	took = steps[p->state](p, s, n);
	if (took > 0 && !body)
		p->head += (uint32_t)took;
	if (p->state == MESSAGE_DONE) {
		p->state = AT_START;
		p->head = 0;
	}
	return took;
}

void http1_init(struct http1 *p)
{
	memset(p, 0, sizeof(*p));
}

ssize_t http1_feed(struct http1 *p, const void *buf, size_t n)
{
	const char *s = buf;
	size_t at = 0;

	if (p->state == GIVEN_UP)
		return -(ssize_t)p->error;
	while (at < n) {
		ssize_t took = step(p, s + at, n - at);

		if (took < 0)
			return http1_give_up(p, took);
		at += (size_t)took;
		if (p->state != HEAD_DONE)
			continue;
		took = http1_body_begin(p);
		return took < 0 ? http1_give_up(p, took) : (ssize_t)at;
	}
	return 0;
}

int http1_skip(struct http1 *p, uint64_t n)
{
	if (p->state != IN_BODY || n > p->left)
		return (int)http1_give_up(p, -EPROTO);
	p->left -= n;
	if (!p->left)
		p->state = AT_START;
	return 0;
}

enum http1_where http1_where(const struct http1 *p)
{
	uint8_t state = p->state == IN_SKIP || p->state == AT_LF ? p->next : p->state;

	if (state == GIVEN_UP)
		return HTTP1_OPAQUE;
	if (state == AT_START)
		return HTTP1_BETWEEN;
	return state <= HEAD_DONE ? HTTP1_HEAD : HTTP1_BODY;
}
