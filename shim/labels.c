/* SPDX-License-Identifier: Apache-2.0 */
/*
 * labels.c - parses and merges label lists. BOOT. Characters follow Pyroscope's label set parser
 * (names [a-zA-Z0-9_.], values without ',' and '}') and the OpenTelemetry resource SDK specification
 * (RFC 3986 percent-encoding, '+' literal).
 */
#include <ctype.h>
#include <string.h>

#include "shim/labels.h"

static bool key_char(unsigned char c)
{
	return isalnum(c) || c == '_' || c == '.';
}

static bool value_char(unsigned char c)
{
	return c >= 0x20 && c != 0x7f && c != ',' && c != '}' && c != '{';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What became of a pair, or of a part of it. */
enum fate { TAKEN, LEFT_OUT, MALFORMED };

/* Trimmed and, if asked, percent-decoded. LEFT_OUT: no room, and to is empty. */
static enum fate decode(const char *from, size_t n, bool percent, char *to, size_t room)
{
	size_t used = 0;
	bool fits = true;

	while (n && isspace((unsigned char)*from))
		from++, n--;
	while (n && isspace((unsigned char)from[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++) {
		char c = from[i];

		if (percent && c == '%') {
			if (i + 2 >= n || hex_digit(from[i + 1]) < 0 || hex_digit(from[i + 2]) < 0)
				return MALFORMED;
			c = (char)(hex_digit(from[i + 1]) << 4 | hex_digit(from[i + 2]));
			i += 2;
		}
		if (!c)
			return MALFORMED;
		fits = fits && used + 1 < room;
		if (fits)
			to[used++] = c;
	}
	to[fits ? used : 0] = 0;
	return fits ? TAKEN : LEFT_OUT;
}

/* Resource attributes were valid where they come from: adapt them rather than lose them. */
static void adapt(char *text, bool (*allowed)(unsigned char))
{
	for (; *text; text++)
		if (!allowed((unsigned char)*text))
			*text = '_';
}

static bool all(const char *text, bool (*allowed)(unsigned char))
{
	for (; *text; text++)
		if (!allowed((unsigned char)*text))
			return false;
	return true;
}

static enum fate put(struct labels *labels, const char *key, const char *value)
{
	unsigned i = 0;

	while (i < labels->count && strcmp(labels->items[i].key, key) != 0)
		i++;
	if (i == LABELS_MAX)
		return LEFT_OUT;
	if (i == labels->count)
		labels->count++;
	strcpy(labels->items[i].key, key);
	strcpy(labels->items[i].value, value);
	return TAKEN;
}

/* One pair; an empty one between commas is nothing. */
static enum fate add_pair(struct labels *labels, const char *pair, size_t n, enum labels_form form)
{
	char key[LABELS_KEY_MAX], value[LABELS_VALUE_MAX];
	const char *equals = memchr(pair, '=', n);
	bool percent = form == LABELS_PERCENT;
	enum fate of_key, of_value;

	if (!equals)
		return decode(pair, n, false, key, sizeof(key)) == TAKEN && !*key ? TAKEN : MALFORMED;
	of_key = decode(pair, (size_t)(equals - pair), percent, key, sizeof(key));
	of_value = decode(equals + 1, n - (size_t)(equals + 1 - pair), percent, value, sizeof(value));
	if (of_key == MALFORMED || of_value == MALFORMED || (of_key == TAKEN && !*key))
		return MALFORMED;
	if (of_key == LEFT_OUT || of_value == LEFT_OUT)
		return LEFT_OUT;
	if (percent) {
		adapt(key, key_char);
		adapt(value, value_char);
	}
	if (!all(key, key_char) || !all(value, value_char) || strncmp(key, "__", 2) == 0)
		return MALFORMED;
	/* A label without a value is no label to the server. */
	return *value ? put(labels, key, value) : TAKEN;
}

bool labels_add(struct labels *labels, const char *text, size_t n, enum labels_form form)
{
	struct labels before = *labels;
	bool complete = true;

	while (n) {
		const char *comma = memchr(text, ',', n);
		size_t part = comma ? (size_t)(comma - text) : n;
		enum fate fate = add_pair(labels, text, part, form);

		if (fate == MALFORMED && form == LABELS_PERCENT) {
			*labels = before;
			return false;
		}
		complete = complete && fate == TAKEN;
		part += comma ? 1 : 0;
		text += part;
		n -= part;
	}
	return complete;
}

const char *labels_find(const struct labels *labels, const char *key)
{
	for (unsigned i = 0; i < labels->count; i++)
		if (strcmp(labels->items[i].key, key) == 0)
			return labels->items[i].value;
	return NULL;
}

void labels_remove(struct labels *labels, const char *key)
{
	for (unsigned i = 0; i < labels->count; i++) {
		if (strcmp(labels->items[i].key, key) != 0)
			continue;
		labels->count--;
		memmove(&labels->items[i], &labels->items[i + 1],
			(labels->count - i) * sizeof(labels->items[0]));
		return;
	}
}

bool labels_format(const struct labels *labels, char *out, size_t room)
{
	size_t used = 0;

	*out = 0;
	for (unsigned i = 0; i < labels->count; i++) {
		size_t k = strlen(labels->items[i].key), v = strlen(labels->items[i].value);

		if (used + k + v + 3 > room)
			return false;
		if (used)
			out[used++] = ',';
		memcpy(out + used, labels->items[i].key, k);
		out[used + k] = '=';
		memcpy(out + used + k + 1, labels->items[i].value, v + 1);
		used += k + 1 + v;
	}
	return true;
}
