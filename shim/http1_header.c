/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an HTTP/1 request's header lines say, as far as it concerns us: which names matter, and
 * what becomes of their values. Called by http1.c only, which cuts lines into names and values.
 * Context: APP; no allocation, no lock, no errno. Whatever concerns framing is taken strictly:
 * servers are known to disagree on doubtful lengths, and then we could not tell body from head.
 */
#include "shim/http1_header.h"

#include <errno.h>
#include <string.h>

#include "shim/ows.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool same_word(const char *s, size_t n, const char *word)
{
	size_t i = 0;

	while (i < n && word[i] && lower(s[i]) == word[i])
		i++;
	return i == n && !word[i];
}

/* The next non-empty element of the comma-separated list at *s; 0 at its end. */
static size_t list_next(const char **s, const char *end, const char **word)
{
	const char *stop;

	while (*s < end && (is_ows(**s) || **s == ','))
		(*s)++;
	*word = *s;
	while (*s < end && **s != ',')
		(*s)++;
	for (stop = *s; stop > *word && is_ows(stop[-1]);)
		stop--;
	return (size_t)(stop - *word);
}

static int take_length(struct http1 *p)
{
	uint64_t length = 0;

	if (!p->end || p->end > HTTP1_VALUE_MAX || p->seen & SEEN_FOLD)
		return -EPROTO;
	for (size_t i = 0; i < p->end; i++) {
		char c = p->value[i];

		if (c < '0' || c > '9' || length > (INT64_MAX - 9) / 10)
			return -EPROTO;
		length = length * 10 + (uint64_t)(c - '0');
	}
	if (p->seen & SEEN_LENGTH && length != p->left)
		return -EPROTO;
	p->seen |= SEEN_LENGTH;
	p->left = length;
	return 0;
}

/* Several headers are one list: nothing may follow "chunked", in the same one or in a later. */
static int take_coding(struct http1 *p)
{
	const char *s = p->value, *end, *word;
	size_t n;

	if (p->end > HTTP1_VALUE_MAX || p->seen & SEEN_FOLD)
		return -EPROTO;
	p->seen |= SEEN_CODING;
	end = s + p->end;
	while ((n = list_next(&s, end, &word))) {
		if (p->seen & SEEN_CHUNKED)
			return -EPROTO;
		if (same_word(word, n, "chunked"))
			p->seen |= SEEN_CHUNKED;
	}
	return 0;
}

static int take_upgrade(struct http1 *p)
{
	bool whole = p->end <= HTTP1_VALUE_MAX && !(p->seen & (SEEN_FOLD | SEEN_UPGRADE));

	p->request.upgrade_http2 = whole && same_word(p->value, p->end, "h2c");
	p->seen |= SEEN_UPGRADE;
	return 0;
}

/* A list that was not held whole may well have said upgrade. */
static int take_connection(struct http1 *p)
{
	const char *s = p->value, *end, *word;
	bool whole = p->end <= HTTP1_VALUE_MAX && !(p->seen & SEEN_FOLD);
	size_t n;

	if (!whole)
		p->seen |= SEEN_CONNECTION_UPGRADE;
	end = s + (whole ? p->end : 0);
	while ((n = list_next(&s, end, &word))) {
		if (same_word(word, n, "upgrade"))
			p->seen |= SEEN_CONNECTION_UPGRADE;
	}
	return 0;
}

/*
 * To follow a further header: a line here, and its take(). One bit of a names set each, behind those
 * of the headers that carry trace context.
 */
static const struct header {
	const char *name;
	bool framing; /* decides where the message ends */
	int (*take)(struct http1 *p);
} headers[] = {
    {"content-length", true, take_length},
    {"transfer-encoding", true, take_coding},
    {"upgrade", false, take_upgrade},
    {"connection", false, take_connection},
};

enum {
	HEADERS = sizeof(headers) / sizeof(headers[0]),
	NAMES = PROPAGATOR_HEADERS_MAX + HEADERS,
	OWN_NAMES = ((1 << HEADERS) - 1) << PROPAGATOR_HEADERS_MAX,
};
_Static_assert(NAMES <= 16, "a bit for each header");

static const char *name_of(unsigned int i)
{
	return i < PROPAGATOR_HEADERS_MAX ? propagator_names[i]
					  : headers[i - PROPAGATOR_HEADERS_MAX].name;
}

uint16_t http1_header_names(void)
{
	return propagator_enabled | OWN_NAMES;
}

uint16_t http1_header_narrow(uint16_t names, size_t pos, char c)
{
	unsigned int left = names;

	c = lower(c);
	/* A name still in the set has matched pos bytes, so name[pos] is its NUL at the latest. */
	for (unsigned int todo = left; todo; todo &= todo - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(todo);

		if (!c || name_of(i)[pos] != c)
			left &= ~(1U << i);
	}
	return (uint16_t)left;
}

uint8_t http1_header_match(uint16_t names, size_t pos)
{
	for (unsigned int todo = names; todo; todo &= todo - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(todo);

		if (!name_of(i)[pos])
			return (uint8_t)(i + 1);
	}
	return 0;
}

bool http1_header_framing(uint8_t header)
{
	return header > PROPAGATOR_HEADERS_MAX &&
	       headers[header - 1 - PROPAGATOR_HEADERS_MAX].framing;
}

/* A folded value is none that could be read: RFC 9112, section 5.2. */
static void take_context(struct http1 *p)
{
	bool folded = p->seen & SEEN_FOLD, cut = p->end > HTTP1_VALUE_MAX;

	propagator_take(&p->propagator, p->header - 1U, folded ? NULL : p->value,
			folded ? 0 : cut ? HTTP1_VALUE_MAX : p->end, cut && !folded);
}

int http1_header_take(struct http1 *p)
{
	if (p->header > PROPAGATOR_HEADERS_MAX)
		return headers[p->header - 1 - PROPAGATOR_HEADERS_MAX].take(p);
	take_context(p);
	return 0;
}
