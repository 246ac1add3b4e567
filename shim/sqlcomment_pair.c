/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pairs in an SQL comment: key='value',key='value' with values percent-encoded and quotes in them
 * escaped by a backslash. Called by sqlcomment.c. Context: APP. A comment that is anything else,
 * even in part, carries no context.
 */
#include <string.h>

#include "shim/hex.h"
#include "shim/sqlcomment_step.h"

static const char wanted[] = "traceparent";

enum { OTHER_KEY = 255 };

void sqlcomment_pair_begin(struct sqlcomment *s)
{
	s->pair = PAIR_KEY;
	s->length = 0;
	s->named = false;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void key_byte(struct sqlcomment *s, char c)
{
	bool ours = s->length == strlen(wanted);

	if (is_space(c) && !s->length)
		return;
	if (is_space(c) || c == '=') {
		s->pair = !s->length ? PAIR_NONE : c == '=' ? PAIR_QUOTE : PAIR_EQUALS;
		/* From here length is of the value; of another's, nothing is kept. */
		s->length = ours ? 0 : OTHER_KEY;
		if (ours && s->named)
			s->pair = PAIR_NONE;
		s->named |= ours;
	} else if (c == '\'' || c == ',') {
		s->pair = PAIR_NONE;
	} else if (s->length < strlen(wanted) && c == wanted[s->length]) {
		s->length++;
	} else {
		s->length = OTHER_KEY;
	}
}

/* Dashes are all that an encoder may have seen fit to encode in it. */
static bool take_value(struct sqlcomment *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->length; i++, n++) {
		int high, low;

		s->text[n] = s->text[i];
		if (s->text[i] != '%')
			continue;
		if (i + 2 >= s->length)
			return false;
		high = hex_digit(s->text[i + 1]);
		low = hex_digit(s->text[i + 2]);
		if (high < 0 || low < 0)
			return false;
		s->text[n] = (char)(high << 4 | low);
		i += 2;
	}
	return traceparent_parse(s->text, n, &s->context);
}

static void value_byte(struct sqlcomment *s, char c)
{
	if (c == '\'') {
		bool ours = s->length != OTHER_KEY;

		/* A comment that names one which cannot be read hides those before it. */
		if (ours)
			s->found = take_value(s);
		s->pair = PAIR_COMMA;
	} else if (c == '\\') {
		s->pair = PAIR_ESCAPED;
	} else if (s->length < SQLCOMMENT_TEXT_MAX) {
		s->text[s->length++] = c;
	} else if (s->length != OTHER_KEY) {
		s->pair = PAIR_NONE;
	}
}

void sqlcomment_pair_byte(struct sqlcomment *s, char c)
{
	switch (s->pair) {
	case PAIR_KEY:
		key_byte(s, c);
		break;
	case PAIR_EQUALS:
		if (!is_space(c))
			s->pair = c == '=' ? PAIR_QUOTE : PAIR_NONE;
		break;
	case PAIR_QUOTE:
		if (!is_space(c))
			s->pair = c == '\'' ? PAIR_VALUE : PAIR_NONE;
		break;
	case PAIR_VALUE:
		value_byte(s, c);
		break;
	case PAIR_ESCAPED: /* no part of a traceparent */
		s->pair = s->length == OTHER_KEY ? PAIR_VALUE : PAIR_NONE;
		break;
	case PAIR_COMMA:
		if (c == ',')
			s->pair = PAIR_KEY, s->length = 0;
		else if (!is_space(c))
			s->pair = PAIR_NONE;
		break;
	default:
		break;
	}
}

void sqlcomment_pair_end(struct sqlcomment *s)
{
	if (!s->named)
		return;
	if (s->pair != PAIR_COMMA)
		s->found = false;
	s->leading = !s->code;
}
