/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL's protocol, version 3, as a server sees it from a connection's first byte. A request
 * is a Query message, or all messages up to a Sync; its context is in the statements' comments.
 *
 * A prepared statement's comment names the request that prepared it, not those that execute it
 * later: only texts that came in the same batch count, or in the one before if that did nothing but
 * prepare the statement that this one executes. Context: APP; no allocation, no lock, no errno.
 * Zeroed memory is an initialised scanner.
 */
#ifndef SPANPROF_SHIM_PGWIRE_H
#define SPANPROF_SHIM_PGWIRE_H

#include <sys/types.h>

#include "shim/sqlcomment.h"

#define PGWIRE_TLS_BEGINS (-EPROTOTYPE)

/* Private to pgwire.c. */
struct pgwire {
	struct request_head request; /* the last one reported, or the batch that is coming in */
	struct sqlcomment comment;
	uint32_t left;	      /* of this message */
	uint32_t answer_left; /* of the message that is being written */
	uint32_t awaited;     /* requests that no ReadyForQuery has answered */
	uint8_t header[8];    /* of the message, as far as it has come */
	uint8_t answer[5];
	uint8_t header_length, answer_length;
	uint8_t state;
	uint8_t text;	 /* enum text: where in a message with a statement */
	uint32_t name;	 /* of a statement, as far as it has come: a hash, as the next two */
	uint32_t parsed; /* the last one that this batch has prepared */
	uint32_t prepared; /* what the batch before has, having done nothing else; 0: no such */
	bool parses;	   /* this batch has a text of its own, */
	bool runs;	   /* does more than preparing one statement */
	bool runs_prepared, runs_other;
	bool batch;	 /* messages since the last request was reported */
	bool conflict;	 /* its statements name different contexts */
	bool negotiates; /* one byte of the server's is to come: the answer to a negotiation */
	uint8_t error, answer_error;
};

/*
 * The next n bytes from the client. > 0: a request is complete after that many, see request; 0: none
 * is; < 0: -EPROTO, for good, or PGWIRE_TLS_BEGINS, after *at of n
 * bytes. What comes after that, decrypted, may be fed again.
 */
ssize_t pgwire_feed(struct pgwire *p, const void *bytes, size_t n, size_t *at);
/*
 * The next n bytes to the client; NULL: they were not seen. > 0: one more request is answered after
 * that many, all of them if not awaited; 0: none; < 0: no answer's end will be seen any more.
 */
ssize_t pgwire_answer(struct pgwire *p, const void *bytes, size_t n);

#endif
