/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_answer.c - what goes out to a client: whose work it shows, and what it ends. APP.
 */
#include <stdbool.h>

#include "shim/attribute.h"
#include "shim/conn_answer.h"
#include "shim/conn_streams.h"
#include "shim/conn_table.h"
#include "shim/live.h"

/*
 * n bytes by vector, or n that nobody saw, to the scanner. 1: what was asked is answered. After
 * PROTOCOL_HTTP2_BEGINS *begins of the bytes were HTTP/1's.
 */
static int follow(struct conn *c, const struct iovec *vector, size_t count, size_t n,
		  size_t *begins)
{
	int done = 0;

	if (c->kind != CONN_INBOUND)
		return 1;
	if (!vector)
		done = protocol_sent(&c->scanner, NULL, n);
	*begins = 0;
	for (size_t i = 0; vector && i < count && n && done >= 0; i++) {
		size_t part = vector[i].iov_len < n ? vector[i].iov_len : n;

		if (part)
			done = protocol_sent(&c->scanner, vector[i].iov_base, part);
		*begins += done == PROTOCOL_HTTP2_BEGINS ? (size_t)c->scanner.begins : part;
		n -= part;
	}
	return done;
}

/* All of n bytes but the first skip. */
static void answer_streams(struct thread *t, struct conn *c, const struct iovec *vector,
			   size_t count, size_t n, size_t skip)
{
	struct streams_answer answer = {.conn = c};

	if (!vector)
		streams_sent(&answer, NULL, n);
	for (size_t i = 0; vector && i < count && n; i++) {
		size_t part = vector[i].iov_len < n ? vector[i].iov_len : n;
		size_t skipped = skip < part ? skip : part;

		if (skipped < part)
			streams_sent(&answer, (const char *)vector[i].iov_base + skipped,
				     part - skipped);
		skip -= skipped;
		n -= part;
	}
	streams_answered(t, &answer);
}

void conn_answer(struct thread *t, struct conn *c, const struct iovec *vector, size_t count,
		 size_t n)
{
	size_t begins = 0;
	bool first = !c->answered;
	int done;

	if (c->http2) {
		answer_streams(t, c, vector, count, n, 0);
		return;
	}
	done = follow(c, vector, count, n, &begins);
	c->answered = 1;
	if (!c->request.flags) {
		attribute_write_unknown(t);
	} else if (done == PROTOCOL_HTTP2_BEGINS && !c->pipelined) {
		/* The answer is still to come, and the work may be too. */
		attribute_upstream(t, &c->request, 0);
		streams_upgrade(c);
		if (c->http2 && begins < n)
			answer_streams(t, c, vector, count, n, begins);
	} else {
		attribute_write(t, &c->request, first);
		/* Where the end cannot be seen, the first piece counts as the whole. */
		if (done)
			live_end(c->request.request);
	}
}
