/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays what a client and a server say to each other to a protocol_scanner, and writes down what it
 * reports: for each head "method target d;" (d: the span id's last digit, '-': no context),
 * "answered" with the status, "TLS", "HTTP/2" ("!": the client's), or an error. goes() plays it
 * whole, then with one more cut at every byte and byte by byte, each piece a heap block of its
 * exact size: the reports must be the same.
 */
#ifndef SPANPROF_TEST_CONVERSATION_H
#define SPANPROF_TEST_CONVERSATION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/protocol.h"

struct turn {
	char who; /* 'C' or 'S'; 's': the server, in bytes that no wrapper sees */
	const char *bytes;
	size_t n;
};

struct report {
	char text[2048];
	size_t length;
	size_t at[64]; /* where in the stream each head ended, or the other protocol began */
	size_t marks;
};

static void say(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct report *r, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	r->length += (size_t)vsnprintf(r->text + r->length, sizeof(r->text) - r->length, format, list);
	va_end(list);
	assert_true(r->length < sizeof(r->text));
}

static void mark(struct report *r, size_t at)
{
	assert_true(r->marks < sizeof(r->at) / sizeof(r->at[0]));
	r->at[r->marks++] = at;
}

static void client(struct protocol_scanner *p, const char *s, size_t n, size_t at, struct report *r)
{
	size_t off = 0;

	while (off < n) {
		ssize_t ret = protocol_received(p, s + off, n - off);
		const struct request_head *h = protocol_head(p);
		bool again = p->error && strstr(r->text, "!");

		assert_true(ret <= (ssize_t)(n - off));
		if (!ret || again)
			return;
		if (ret == PROTOCOL_HTTP2_BEGINS || ret == PROTOCOL_TLS_BEGINS) {
			say(r, ret == PROTOCOL_TLS_BEGINS ? "TLS; " : "HTTP/2! ");
			mark(r, at + off + (size_t)(ssize_t)p->begins);
			if (ret == PROTOCOL_TLS_BEGINS) /* the rest of the tests' bytes: decrypted */
				off += p->begins > 0 ? (size_t)p->begins : 0;
			return;
		}
		if (ret < 0) {
			say(r, ret == -E2BIG ? "E2BIG! " : "EPROTO! ");
			return;
		}
		off += (size_t)ret;
		mark(r, at + off);
		say(r, "%s %s %c; ", h->method, h->target,
		    h->has_context ? "0123456789abcdef"[h->context.span_id[7] & 15] : '-');
	}
}

static void piece(struct protocol_scanner *p, const struct turn *t, size_t from, size_t n, size_t at,
		  struct report *r)
{
	char *copy = malloc(n ? n : 1);
	int ret;

	assert_non_null(copy);
	memcpy(copy, t->bytes + from, n);
	if (t->who == 'C') {
		client(p, copy, n, at, r);
	} else {
		bool before = p->unanswerable;

		ret = protocol_sent(p, t->who == 'S' ? copy : NULL, n);
		if (ret > 0)
			say(r, "answered %u; ", protocol_status(p));
		else if (ret == PROTOCOL_HTTP2_BEGINS)
			mark(r, at + (size_t)p->begins);
		if (ret < 0 && !before)
			say(r, ret == PROTOCOL_HTTP2_BEGINS ? "HTTP/2; " : "lost; ");
	}
	free(copy);
}

/* With a cut after `cut` bytes of the stream, and after every `size` bytes of each turn. */
static void play(const struct turn *t, size_t turns, size_t cut, size_t size, struct report *r)
{
	struct protocol_scanner p;
	size_t at = 0;

	memset(r, 0, sizeof(*r));
	protocol_init(&p);
	for (size_t i = 0; i < turns; at += t[i++].n) {
		for (size_t from = 0, n; from < t[i].n; from += n) {
			n = t[i].n - from;
			if (cut > at + from && cut < at + from + n)
				n = cut - at - from;
			if (n > size)
				n = size;
			piece(&p, &t[i], from, n, at + from, r);
		}
	}
}

static void goes(const struct turn *t, size_t turns, const char *expected)
{
	struct report whole, cut;
	size_t n = 0;

	for (size_t i = 0; i < turns; i++)
		n += t[i].n;
	play(t, turns, 0, n, &whole);
	assert_string_equal(whole.text, expected);
	for (size_t i = 1; i <= n; i++) {
		play(t, turns, i == n ? 0 : i, i == n ? 1 : n, &cut);
		if (memcmp(&whole, &cut, sizeof(cut)))
			fail_msg("cut at %zu: %s, not %s", i, cut.text, whole.text);
	}
}

#define TURNS(t) (t), sizeof(t) / sizeof((t)[0])
#define C(s) {'C', s, sizeof(s) - 1}
#define S(s) {'S', s, sizeof(s) - 1}
#define GOES(expected, ...)                                  \
	do {                                                 \
		static const struct turn turns_[] = {__VA_ARGS__}; \
		goes(TURNS(turns_), expected);               \
	} while (0)

#endif
