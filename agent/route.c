/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.c - path segments that look like values become "{}", the rest stays. AGENT. What a value looks
 * like is guessed from the segment alone, since no two paths are compared: digits, hexadecimal, and
 * letters mixed with digits as in no word. A guess too few is a name more, which names.c bounds; a guess
 * too many joins two routes.
 */
#include <stdbool.h>
#include <string.h>

#include "agent/route.h"

#define ROUTE_VALUE "{}"
#define ROUTE_REST "*"	  /* of a path that was cut */
#define ROUTE_OTHER "OTHER"
#define DIGITS_WORD 3	  /* a number between separators, "user-123": fewer may count versions */
#define DIGITS_RUN 4	  /* within a word: "sha256" is one, "user1234" is none */
#define HEX_MIXED 8	  /* hexadecimal with a digit in it */
#define HEX_ANY 12	  /* or without: no word is that long */
#define TOKEN_MIN 20	  /* of letters with any digit */
#define TOKEN_CHANGES 4	  /* between letters and digits: "dQw4w9WgXcQ"; "v1beta1" has 3 */

/* HTTP's and WebDAV's, then statements of SQL: a closed list, since each is a series. */
static const char *const methods[] = {
	"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY",
	"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH", "REPORT", "PURGE",
	"SELECT", "INSERT", "UPDATE", "REPLACE", "MERGE", "WITH", "VALUES", "TABLE", "CALL", "DO",
	"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "SET", "RESET",
	"SHOW", "USE", "DESCRIBE", "EXPLAIN", "ANALYZE", "VACUUM", "CREATE", "ALTER", "DROP", "TRUNCATE",
	"GRANT", "REVOKE", "PREPARE", "EXECUTE", "DEALLOCATE", "DECLARE", "FETCH", "CLOSE", "LISTEN",
	"REFRESH", "LOAD", "HANDLER", ROUTE_OTHER,
};
_Static_assert(sizeof(methods) / sizeof(methods[0]) <= ROUTE_METHODS_MAX, "the bound holds");

/* A word's make. */
struct word {
	size_t length, digits, run, changes;
	bool hex;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Between words; whatever else is neither letter nor digit makes its segment a value. */
static bool is_separator(char c)
{
	return c && strchr("-._~:+$", c);
}

static struct word look(const char *s, size_t n)
{
	struct word w = {.hex = true};
	size_t run = 0;

	for (; w.length < n && (is_letter(s[w.length]) || is_digit(s[w.length])); w.length++) {
		char c = s[w.length];

		run = is_digit(c) ? run + 1 : 0;
		w.run = run > w.run ? run : w.run;
		w.digits += is_digit(c);
		w.hex &= is_hex(c);
		w.changes += w.length && is_digit(c) != is_digit(s[w.length - 1]);
	}
	return w;
}

static bool is_value_word(const struct word *w)
{
	if (w->length == w->digits)
		return w->digits >= DIGITS_WORD;
	return w->run >= DIGITS_RUN || w->changes >= TOKEN_CHANGES ||
	       (w->hex && w->length >= (w->digits ? HEX_MIXED : HEX_ANY)) ||
	       (w->digits && w->length >= TOKEN_MIN);
}

static bool is_value(const char *s, size_t n)
{
	bool digits = false, letters = false;

	for (size_t i = 0; i < n;) {
		struct word w = look(s + i, n - i);

		if (w.length == 0 && !is_separator(s[i]))
			return true;
		if (is_value_word(&w))
			return true;
		digits |= w.digits > 0;
		letters |= w.digits < w.length;
		i += w.length ? w.length : 1;
	}
	return digits && !letters;
}

static char *put(char *to, const char *text, size_t n)
{
	memcpy(to, text, n);
	return to + n;
}

/* What follows a ';' are parameters, which Java's servers keep sessions in. */
static char *put_segment(char *to, const char *s, size_t n)
{
	const char *parameters = memchr(s, ';', n);
	size_t name = parameters ? (size_t)(parameters - s) : n;

	if (n && (!name || is_value(s, name)))
		return put(to, ROUTE_VALUE, strlen(ROUTE_VALUE));
	return put(to, s, name);
}

static void put_path(char *to, const char *path, size_t n, bool cut)
{
	size_t i = 0;

	while (i < n) {
		size_t start;

		/* Servers take several slashes for one. */
		while (i < n && path[i] == '/')
			i++;
		*to++ = '/';
		start = i;
		while (i < n && path[i] != '/')
			i++;
		if (cut && i == n)
			to = put(to, ROUTE_REST, strlen(ROUTE_REST));
		else
			to = put_segment(to, path + start, i - start);
	}
	*to = '\0';
}

static const char *known_method(const char *method, size_t n)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strlen(methods[i]) == n && !memcmp(methods[i], method, n))
			return methods[i];
	return ROUTE_OTHER;
}

void route_name(struct route *route, const char method[FEED_METHOD_SIZE],
		const char target[FEED_TARGET_SIZE])
{
	size_t n = strnlen(method, FEED_METHOD_SIZE), path = strnlen(target, FEED_TARGET_SIZE - 1);
	const char *name;

	route->name[0] = '\0';
	route->method = 0;
	if (n == 0)
		return;
	name = known_method(method, n);
	route->method = strlen(name);
	strcpy(route->name, name);
	/* "*" and what CONNECT asks for are no paths. */
	if (target[0] != '/')
		return;
	route->name[route->method] = ' ';
	/* One that just fits looks the same as one that was cut. */
	put_path(route->name + route->method + 1, target, path, path == FEED_TARGET_SIZE - 1);
}
