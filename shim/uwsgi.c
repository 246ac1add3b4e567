/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The uwsgi scanner: modifier1, size in two bytes with the low one first, modifier2; then names and
 * values with lengths of the same kind. Called by protocol.c. Context: APP. Modifiers other than 0
 * (a WSGI request) are given up.
 */
#include "shim/uwsgi.h"

#include <errno.h>

enum { HEADER = 4 };
enum part { NAME_LOW, NAME_HIGH, NAME, VALUE_LOW, VALUE_HIGH, VALUE, DONE };

static int header_byte(struct uwsgi *u, uint8_t c)
{
	switch (u->header++) {
	case 1:
		u->left = c;
		return 0;
	case 2:
		u->left |= (uint16_t)(c << 8);
		return 0;
	default:
		return c ? -EPROTO : 0;
	}
}

/* A name or value whose bytes are all there, be they none. */
static void end_part(struct uwsgi *u)
{
	if (u->part == NAME) {
		cgi_name_end(&u->cgi, &u->request);
		u->part = VALUE_LOW;
	} else {
		cgi_value_end(&u->cgi);
		u->part = NAME_LOW;
	}
}

/* Some of the n bytes at s, all of the packet: how many. */
static size_t variables(struct uwsgi *u, const uint8_t *s, size_t n)
{
	size_t took = 1;

	if (u->part == NAME_LOW || u->part == VALUE_LOW) {
		u->value = *s;
		u->part++;
		return 1;
	}
	if (u->part == NAME_HIGH || u->part == VALUE_HIGH) {
		u->value |= (uint16_t)(*s << 8);
		u->part++;
	} else {
		took = n < u->value ? n : u->value;
		u->value -= (uint16_t)took;
		if (u->part == NAME)
			cgi_name(&u->cgi, (const char *)s, took);
		else
			cgi_value(&u->cgi, &u->request, (const char *)s, took);
	}
	if (!u->value)
		end_part(u);
	return took;
}

static ssize_t give_up(struct uwsgi *u)
{
	u->error = EPROTO;
	return -EPROTO;
}

ssize_t uwsgi_feed(struct uwsgi *u, const void *bytes, size_t n)
{
	const uint8_t *s = bytes;
	size_t at = 0;

	if (u->error)
		return -(ssize_t)u->error;
	if (u->part == DONE)
		return 0;
	while (at < n) {
		if (u->header < HEADER) {
			if (header_byte(u, s[at++]))
				return give_up(u);
		} else {
			size_t took = n - at < u->left ? n - at : u->left;

			took = took ? variables(u, s + at, took) : 0;
			u->left -= (uint16_t)took;
			at += took;
		}
		if (u->header < HEADER || u->left)
			continue;
		if (u->part != NAME_LOW)
			return give_up(u);
		cgi_end(&u->cgi, &u->request);
		u->part = DONE;
		return (ssize_t)at;
	}
	return 0;
}
