/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanners of all protocols on any conversation. Input: two bytes that say where to cut; then turns,
 * each a byte that says who speaks (its high bit: the server) and how long (the other seven),
 * and its bytes. Fed whole and with the cut, pieces being heap blocks of their exact size, the same heads
 * must end at the same bytes and the scanner must come to the same end; nor may it take more than it is given.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct record {
	size_t heads, at[64];
	struct request_head head[64];
	size_t switched;
	size_t answers;
	ssize_t error;
	int lost;
};

static void client(struct protocol_scanner *p, const uint8_t *s, size_t n, size_t at, struct record *r)
{
	for (size_t off = 0; off < n;) {
		ssize_t ret = protocol_received(p, s + off, n - off);

		if (ret > (ssize_t)(n - off))
			__builtin_trap();
		if (ret == PROTOCOL_TLS_BEGINS || (ret == PROTOCOL_HTTP2_BEGINS && !r->error))
			r->switched = at + off + (size_t)(ssize_t)p->begins + 1;
		if (ret == PROTOCOL_TLS_BEGINS) {
			r->error = ret;
			return;
		}
		if (ret < 0)
			r->error = ret;
		if (ret <= 0)
			return;
		off += (size_t)ret;
		if (r->heads < 64) {
			r->at[r->heads] = at + off;
			r->head[r->heads++] = *protocol_head(p);
		}
	}
}

static void piece(struct protocol_scanner *p, uint8_t who, const uint8_t *s, size_t n, size_t at,
		  struct record *r)
{
	uint8_t *copy = malloc(n);
	int ret;

	/* What TLS carries is another conversation. */
	if (n && r->error != PROTOCOL_TLS_BEGINS) {
		memcpy(copy, s, n);
		if (!(who & 0x80)) {
			client(p, copy, n, at, r);
		} else {
			ret = protocol_sent(p, copy, n);
			r->answers += ret > 0;
			r->lost |= ret < 0;
		}
	}
	free(copy);
}

static void play(const uint8_t *s, size_t size, size_t cut, struct record *r)
{
	struct protocol_scanner p;

	protocol_init(&p);
	for (size_t at = 0; at < size;) {
		uint8_t who = s[at++];
		size_t n = who & 0x7f;

		if (n > size - at)
			n = size - at;
		if (cut > at && cut < at + n) {
			piece(&p, who, s + at, cut - at, at, r);
			piece(&p, who, s + cut, at + n - cut, cut, r);
		} else {
			piece(&p, who, s + at, n, at, r);
		}
		at += n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct record whole, split;
	size_t cut;

	if (size < 3)
		return 0;
	memset(&whole, 0, sizeof(whole));
	memset(&split, 0, sizeof(split));
	cut = (size_t)(data[0] | data[1] << 8) % size;
	propagator_enable(0xff);
	play(data + 2, size - 2, 0, &whole);
	play(data + 2, size - 2, cut, &split);
	/* An answer may be seen before what comes after it in one piece loses the scanner. */
	if (split.answers < whole.answers)
		__builtin_trap();
	whole.answers = split.answers = 0;
	if (memcmp(&whole, &split, sizeof(whole)))
		__builtin_trap();
	return 0;
}
