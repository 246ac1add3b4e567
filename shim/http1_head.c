/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of the HTTP/1 scanner from the first byte of a request line to the empty line that
 * ends the head (RFC 9112, sections 2 to 5). Called by http1.c. Context: APP. They are strict
 * where a server may be lenient: what we misread as a request would lend its context to work
 * that is another's.
 */
#include <string.h>

#include "shim/http1_header.h"
#include "shim/http1_step.h"
#include "shim/ows.h"

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

ssize_t http1_step_start(struct http1 *p, const char *s, size_t n)
{
	uint32_t blank = p->head;

	if (is_upper(*s)) {
		memset(p, 0, sizeof(*p));
		p->head = blank;
		p->state = IN_METHOD;
		return 0;
	}
	/* After an accepted upgrade another protocol begins at once, empty lines and all. */
	if (p->request.upgrade || blank >= HTTP1_BLANK_MAX)
		return -EPROTO;
	return http1_line_end(p, *s, AT_START);
}

ssize_t http1_step_method(struct http1 *p, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == ' ') {
			p->pos = 0;
			p->state = IN_TARGET;
			return (ssize_t)(i + 1);
		}
		if (p->pos >= REQUEST_METHOD_MAX || (!is_upper(s[i]) && s[i] != '-' && s[i] != '_'))
			return -EPROTO;
		p->request.method[p->pos++] = s[i];
	}
	return (ssize_t)n;
}

static size_t scheme_length(const char *target)
{
	if (!strncmp(target, "http://", 7))
		return 7;
	return strncmp(target, "https://", 8) ? 0 : 8;
}

/* "http://host/path", as proxies are asked, names the same path as "/path". */
static void strip_authority(char *target)
{
	size_t scheme = scheme_length(target);
	char *path = scheme ? strchr(target + scheme, '/') : NULL;

	if (path)
		memmove(target, path, strlen(path) + 1);
	else if (scheme)
		strcpy(target, "/");
}

ssize_t http1_step_target(struct http1 *p, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == ' ' && p->pos) {
			strip_authority(p->request.target);
			p->pos = 0;
			p->state = IN_VERSION;
			return (ssize_t)(i + 1);
		}
		if (c <= ' ' || c == 0x7f)
			return -EPROTO;
		if (c == '?' || c == '#')
			p->end = 1; /* the path has ended */
		if (!p->end && p->pos < REQUEST_TARGET_MAX)
			p->request.target[p->pos] = (char)c;
		p->pos++;
	}
	return (ssize_t)n;
}

/* Only as the very first bytes is it the preface of RFC 9113, section 3.4. */
static bool is_preface(const struct http1 *p, size_t i)
{
	return p->head + i == strlen("PRI * HTTP/") && !strcmp(p->request.method, "PRI") &&
	       !strcmp(p->request.target, "*");
}

ssize_t http1_step_version(struct http1 *p, const char *s, size_t n)
{
	static const char expected[] = "HTTP/1.";

	for (size_t i = 0; i < n; i++, p->pos++) {
		if (p->pos < strlen(expected)) {
			if (s[i] == expected[p->pos])
				continue;
			return s[i] == '2' && is_preface(p, i) ? -EPROTONOSUPPORT : -EPROTO;
		}
		if (s[i] < '0' || s[i] > '9')
			return -EPROTO;
		if (s[i] == '0')
			p->seen |= SEEN_HTTP10;
		p->state = AFTER_VERSION;
		return (ssize_t)(i + 1);
	}
	return (ssize_t)n;
}

ssize_t http1_step_after_version(struct http1 *p, const char *s, size_t n)
{
	return http1_line_end(p, *s, AT_LINE);
}

ssize_t http1_step_line(struct http1 *p, const char *s, size_t n)
{
	int ret;

	/* A continuation line (obs-fold) is never a header, whatever it looks like. */
	if (is_ows(*s)) {
		/* There is none to continue, and some take it for the head's end (section 2.2). */
		if (!(p->seen & SEEN_LINE))
			return -EPROTO;
		p->seen |= SEEN_FOLD;
		return http1_skip_line(p, AT_LINE);
	}
	if (p->header) {
		ret = http1_header_take(p);
		if (ret)
			return ret;
		p->header = 0;
	}
	p->seen &= (uint8_t)~SEEN_FOLD;
	if (*s == '\r' || *s == '\n')
		return http1_line_end(p, *s, HEAD_DONE);
	p->seen |= SEEN_LINE;
	p->names = http1_header_names();
	p->pos = 0;
	p->state = IN_NAME;
	return 0;
}

/* The name has ended in c, a colon or (wrongly) white space before it. */
static int name_done(struct http1 *p, char c)
{
	uint8_t header = http1_header_match(p->names, p->pos);

	/* Some servers take "Content-Length :", some ignore it (RFC 9112, section 5.1). */
	if (c != ':' && http1_header_framing(header))
		return -EPROTO;
	if (c != ':' || !header)
		return (int)http1_skip_line(p, AT_LINE);
	p->header = header;
	p->pos = p->end = 0;
	p->state = IN_VALUE;
	return 0;
}

ssize_t http1_step_name(struct http1 *p, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++, p->pos++) {
		if (s[i] == ':' || is_ows(s[i]))
			return name_done(p, s[i]) ? -EPROTO : (ssize_t)(i + 1);
		p->names = http1_header_narrow(p->names, p->pos, s[i]);
		if (!p->names) {
			http1_skip_line(p, AT_LINE);
			return (ssize_t)i;
		}
	}
	return (ssize_t)n;
}

ssize_t http1_step_value(struct http1 *p, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\r' || s[i] == '\n') {
			http1_line_end(p, s[i], AT_LINE);
			return (ssize_t)(i + 1);
		}
		if (!s[i])
			return -EPROTO;
		if (is_ows(s[i]) && !p->pos)
			continue;
		if (p->pos < HTTP1_VALUE_MAX)
			p->value[p->pos] = s[i];
		p->pos++;
		if (!is_ows(s[i]))
			p->end = p->pos;
	}
	return (ssize_t)n;
}
