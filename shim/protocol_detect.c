/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells protocols apart by their first bytes. Called by protocol.c. Context: APP. A load balancer's
 * PROXY header (its specification, sections 2.1 and 2.2) may come before any of them, and is skipped.
 */
#include <string.h>

#include "shim/protocol.h"

enum { PROXY_LINE_MAX = 107, PROXY_HEADER = 16, GREETING_MIN = 30, GREETING_MAX = 1024 };

static const char proxy_line[] = "PROXY ";
static const char proxy_header[] = "\r\n\r\n\0\r\nQUIT\n";

enum match { NO, PERHAPS, YES };

static enum match begins(const struct protocol_detect *d, const char *with, size_t n)
{
	size_t common = d->length < n ? d->length : n;

	if (memcmp(d->held, with, common))
		return NO;
	return common == n ? YES : PERHAPS;
}

static void forget(struct protocol_detect *d)
{
	d->length = 0;
	d->proxied = true;
}

static int proxy_line_byte(struct protocol_detect *d, uint8_t c)
{
	d->line++;
	if (c == '\n') {
		d->line = 0;
		forget(d);
		return 0;
	}
	return d->line < PROXY_LINE_MAX ? 0 : -EPROTO;
}

/* The fixed part of the binary header is there. */
static int proxy_header_end(struct protocol_detect *d)
{
	if (d->held[12] >> 4 != 2 || (d->held[12] & 0xf) > 1)
		return -EPROTO;
	d->skip = (uint16_t)(d->held[14] << 8 | d->held[15]);
	forget(d);
	return 0;
}

/* A first byte of 0: uwsgi's modifier, or the length of a PostgreSQL startup packet. */
static int zero_first(const struct protocol_detect *d, enum protocol *found)
{
	const uint8_t *h = d->held;
	bool negotiation = h[4] == 0x04 && h[5] == 0xd2 && h[6] == 0x16 && h[7] >= 0x2e && h[7] <= 0x30;

	if (d->length < 8)
		return d->length >= 4 && h[1] && h[3] ? -EPROTO : 0;
	if (!h[1] && (negotiation || (!h[4] && h[5] == 3 && !h[6])))
		*found = PROTOCOL_POSTGRES;
	else if (!h[3])
		*found = PROTOCOL_UWSGI;
	return *found ? 0 : -EPROTO;
}

static int second_byte(const struct protocol_detect *d, enum protocol *found)
{
	if (d->length < 2)
		return 0;
	if (d->held[0] == 0x16)
		return d->held[1] == 0x03 ? PROTOCOL_TLS_BEGINS : -EPROTO;
	*found = PROTOCOL_FASTCGI;
	return d->held[1] == 0x01 ? 0 : -EPROTO;
}

int protocol_detect(struct protocol_detect *d, uint8_t byte, enum protocol *found)
{
	uint8_t first;

	*found = PROTOCOL_UNKNOWN;
	if (d->skip) {
		d->skip--;
		return 0;
	}
	if (d->line)
		return proxy_line_byte(d, byte);
	d->held[d->length++] = byte;
	first = d->held[0];
	if (!d->proxied && begins(d, proxy_line, strlen(proxy_line))) {
		if (d->length == strlen(proxy_line))
			d->line = d->length;
		return 0;
	}
	if (!d->proxied && begins(d, proxy_header, sizeof(proxy_header) - 1))
		return d->length == PROXY_HEADER ? proxy_header_end(d) : 0;
	if (!first)
		return zero_first(d, found);
	if (first == 0x01 || first == 0x16)
		return second_byte(d, found);
	*found = PROTOCOL_HTTP1;
	return (first >= 'A' && first <= 'Z') || first == '\r' || first == '\n' ? 0 : -EPROTO;
}

int protocol_greeting(struct protocol_detect *d, const uint8_t *bytes, size_t n)
{
	const uint8_t *g = d->greeting;
	uint32_t length;

	if (d->http2)
		return 0;
	if (!bytes || d->length)
		return -EPROTO;
	while (n-- && d->greeted < sizeof(d->greeting))
		d->greeting[d->greeted++] = *bytes++;
	if (d->greeted < sizeof(d->greeting))
		return 0;
	/* A SETTINGS frame of at most 42 settings; MySQL's greetings have 0 for its type. */
	if (!g[0] && !g[1] && g[2] % 6 == 0 && g[3] == 4 && !g[4]) {
		d->http2 = true;
		d->greeted = 0;
		return 0;
	}
	length = g[0] | (uint32_t)g[1] << 8 | (uint32_t)g[2] << 16;
	return length >= GREETING_MIN && length <= GREETING_MAX && !g[3] && g[4] == 10 ? 1 : -EPROTO;
}
