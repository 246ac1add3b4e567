/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits a server's address. No more than RFC 3986's outer structure: what is inside host and port
 * is checked by the HTTP library when it connects. Control characters, blanks and backslashes are
 * refused, because parsers disagree about them. Context: AGENT.
 */
#include "agent/url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
	const char *digits = "0123456789abcdef";
	const char *p = c ? strchr(digits, c | 0x20) : NULL;

	return p ? (int)(p - digits) : -1;
}

static int decode(char *out, size_t cap, const char *in, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)in[i];

		if (c == '%') {
			int high = i + 2 < len ? hex(in[i + 1]) : -1;
			int low = high >= 0 ? hex(in[i + 2]) : -1;

			if (low < 0 || (high | low) == 0)
				return -EINVAL;
			c = high << 4 | low;
			i += 2;
		}
		if (n + 1 >= cap)
			return -EINVAL;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return 0;
}

static int parse_userinfo(struct url *url, const char *text, size_t len)
{
	const char *colon = memchr(text, ':', len);
	size_t user = colon ? (size_t)(colon - text) : len;
	size_t rest = colon ? user + 1 : len;

	url->has_user = true;
	if (decode(url->user, sizeof(url->user), text, user))
		return -EINVAL;
	return decode(url->password, sizeof(url->password), text + rest, len - rest);
}

static bool has_odd_characters(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= 0x20 || *text == 0x7f || *text == '\\')
			return true;
	return false;
}

int url_parse(struct url *url, const char *text)
{
	const char *scheme_end = strstr(text, "://");
	const char *at, *host = scheme_end ? scheme_end + 3 : text;
	const char *scheme = "http";
	size_t authority = strcspn(host, "/?#");
	size_t path;
	int n;

	memset(url, 0, sizeof(*url));
	if (has_odd_characters(text))
		return -EINVAL;
	if (scheme_end && strncasecmp(text, "https://", 8) == 0)
		scheme = "https";
	else if (scheme_end && strncasecmp(text, "http://", 7) != 0)
		return -EINVAL;
	/* The last one: a password may hold an '@' that somebody forgot to encode. */
	at = memrchr(host, '@', authority);
	if (at) {
		if (parse_userinfo(url, host, (size_t)(at - host)))
			return -EINVAL;
		authority -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	if (!authority || *host == ':')
		return -EINVAL;
	path = authority + strcspn(host + authority, "?#");
	while (host[path - 1] == '/')
		path--;
	n = snprintf(url->base, sizeof(url->base), "%s://%.*s", scheme, (int)path, host);
	return n > 0 && (size_t)n < sizeof(url->base) ? 0 : -EINVAL;
}
