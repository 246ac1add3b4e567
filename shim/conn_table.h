/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_table.h - what is known of each descriptor. Private memory that fork copies. An entry is entered
 * by a lock that says which way bytes go: one thread may read while another writes, and the later of the
 * two waits out the other's look, which is short. Two at once in one direction leave their order unknown,
 * so the connection is given up and counted, as it is when the wait gets long. A stale entry can lose a request but never lend it to a stranger: every call
 * that makes or ends a descriptor resets its entry.
 *
 * Memory: CONN_BYTES_EACH for each descriptor number in use, rounded up to pages. Context: APP.
 */
#ifndef SPANPROF_SHIM_CONN_TABLE_H
#define SPANPROF_SHIM_CONN_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "shim/feed.h"
#include "shim/protocol.h"

#define CONN_FD_MAX (1 << 20) /* descriptors above are not seen, and counted */
#define CONN_BYTES_EACH 512

enum conn_kind {
	CONN_UNKNOWN,  /* a file, a listening socket, anything; must be 0 */
	CONN_INBOUND,  /* accepted; its bytes are read for heads */
	CONN_OPAQUE,   /* accepted, but carries nothing we know: never parsed again */
	CONN_UPSTREAM, /* made by socket(): what goes out may be for a request, what comes in too */
	CONN_WAKE,     /* a pipe or its like: made inside a request it is that one's, else it wakes */
};

enum conn_tls {
	CONN_CLEAR,  /* must be 0 */
	CONN_CIPHER, /* ciphertext was seen */
	CONN_PLAIN,  /* and its plaintext is, at a TLS library */
};

/* What a wrapper is inside for. */
enum conn_way {
	CONN_FREE, /* must be 0 */
	CONN_READS,
	CONN_WRITES,
};

struct http2;

struct conn {
	/* enum conn_way. Held while a wrapper is inside; who cannot enter sets broken. */
	_Atomic unsigned char busy;
	_Atomic unsigned char broken;
	unsigned char kind;
	unsigned char answered;	 /* bytes went out since the live request's head */
	unsigned char pipelined; /* a head came before the one before it was answered */
	unsigned char awaiting;	 /* upstream: written to for request, and not read from since */
	unsigned char shared;	 /* upstream: written to for several requests at a time */
	unsigned char unscanned; /* upstream: what goes out is not HTTP/1 */
	/* HTTP/2: new ones read in .turn of a thread, and since the last answer; upstream: some went out */
	unsigned char heads;
	unsigned char new_heads; /* HTTP/2: some were in the bytes just read */
	unsigned char tls;	 /* enum conn_tls */
	unsigned char used;	 /* upstream: bytes have passed */
	unsigned char heard;	 /* upstream: some came in that nobody followed */
	unsigned char spoke;	 /* upstream: a head of HTTP/1 went out */
	unsigned char upgrades;	 /* upstream: that head asks for HTTP/2, and its answer is still to come */
	unsigned char carried;	 /* upstream HTTP/2: threads write, or read, for each other */
	unsigned char contexts;	 /* upstream HTTP/2: a head had trace context */
	uint32_t turn;		 /* HTTP/2: of .heads; upstream: in which it was made or connected */
	int32_t writer;		 /* HTTP/2: the thread that began an answer or a call last; 0: none yet */
	uint32_t generation;	 /* counts what the number has meant */
	uint64_t guess; /* upstream: .request is no more than that, of that trial; 0: it is sure */
	/* inbound: the live one, no flags: none; else the one lent to (HTTP/2: that has all calls) */
	struct feed_context request;
	struct http2 *http2;	     /* NULL: it is not HTTP/2 */
	/* inbound: of both directions; upstream: its .http1, of what goes out */
	struct protocol_scanner scanner;
};
_Static_assert(sizeof(struct conn) <= CONN_BYTES_EACH, "an entry keeps to its stated size");

/* The entry of fd; NULL: none of its range was ever needed, or fd is out of range. */
struct conn *conn_find(int fd);
struct conn *conn_find_or_make(int fd);
/* False: somebody else is inside; the connection is given up. */
bool conn_enter(struct conn *conn, enum conn_way way);
void conn_leave(struct conn *conn);
/* The live request, if any, is over for this descriptor. */
void conn_forget_request(struct conn *conn);
/* The descriptor's number means something new. Nobody else can be using it rightfully now. */
void conn_reset(struct conn *conn, enum conn_kind kind);
/* fd, or all of [first, last], is about to be closed. */
void conn_closing(int fd);
void conn_closing_range(unsigned first, unsigned last);

#endif
