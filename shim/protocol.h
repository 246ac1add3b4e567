/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which protocol a client speaks on an accepted connection, told from the first bytes, and its requests
 * and answers from there on. Lives inline in the table of connections. Context: APP; no allocation,
 * no lock, no errno; the caller serialises calls on one scanner. Zeroed memory is an initialised one.
 */
#ifndef SPANPROF_SHIM_PROTOCOL_H
#define SPANPROF_SHIM_PROTOCOL_H

#include <errno.h>

#include "shim/fastcgi.h"
#include "shim/http1.h"
#include "shim/http1_response.h"
#include "shim/mysqlwire.h"
#include "shim/pgwire.h"
#include "shim/uwsgi.h"

#define PROTOCOL_HTTP2_BEGINS (-EPROTONOSUPPORT)
#define PROTOCOL_TLS_BEGINS (-EPROTOTYPE)

/* Told apart for good, or given up, if error is set. */
enum protocol {
	PROTOCOL_UNKNOWN, /* too few bytes yet; must be 0 */
	PROTOCOL_HTTP1,
	PROTOCOL_FASTCGI,
	PROTOCOL_UWSGI,
	PROTOCOL_POSTGRES,
	PROTOCOL_MYSQL,
	PROTOCOL_OPAQUE, /* none of these */
};

/* Before it is known which. Private to protocol_detect.c. */
struct protocol_detect {
	uint8_t held[16]; /* the client's first bytes, or those of a PROXY header */
	uint8_t length;	  /* of them */
	uint8_t greeting[5]; /* the server's first bytes, if it spoke first */
	uint8_t greeted;
	bool http2;	   /* the server's first bytes are HTTP/2's: its settings may precede the client's */
	bool proxied;	   /* a PROXY header was skipped: there is no second */
	uint16_t skip;	   /* of a PROXY header, still to come */
	uint16_t line;	   /* of a PROXY header that is a line: bytes so far */
};

struct protocol_scanner {
	uint8_t protocol; /* enum protocol */
	uint8_t error;	  /* errno, once given up */
	bool unanswerable; /* ends of answers are not seen any more */
	int32_t begins;	   /* see protocol_received(), protocol_sent() */
	union {
		struct protocol_detect detect;
		struct {
			struct http1 http1;
			struct http1_response response;
		};
		struct {
			struct uwsgi uwsgi;
			struct http1_response uwsgi_response;
		};
		struct fastcgi fastcgi;
		struct pgwire pgwire;
		struct mysqlwire mysqlwire;
	};
};
_Static_assert(sizeof(struct protocol_scanner) <= 344, "it lives in a table");

void protocol_init(struct protocol_scanner *p);

/*
 * The next n bytes from the client.
 *  > 0  a head ended after that many: see protocol_head(), then pass the rest;
 *    0  all taken in, none ended;
 *  < 0  -EPROTO, -E2BIG: given up, for good; PROTOCOL_HTTP2_BEGINS likewise;
 *       PROTOCOL_TLS_BEGINS: what that connection carries, decrypted, may be passed on here.
 *       Both begin after p->begins of these n bytes; negative: as many came in earlier calls.
 * However the bytes are cut into calls, the heads reported and the final error are the same.
 */
ssize_t protocol_received(struct protocol_scanner *p, const void *bytes, size_t n);

/*
 * The next n bytes to the client; NULL: their number only. 1: with them, every request whose head
 * was reported is answered; 0: not so, or it cannot be told; < 0: it never will be on this
 * connection, and further calls say so (an HTTP/1 connection that has ended in an upgrade too).
 * PROTOCOL_HTTP2_BEGINS: after p->begins of these bytes, as the head just reported has asked, whose
 * answer is still to come.
 */
int protocol_sent(struct protocol_scanner *p, const void *bytes, size_t n);

/* The status of the last answer, where answers have one; 0: none. */
unsigned int protocol_status(const struct protocol_scanner *p);

/* The head just reported; valid until the next call. */
const struct request_head *protocol_head(const struct protocol_scanner *p);

/*
 * Private to protocol.c. The client's next byte: *found, once it can be told, and then the d->length
 * bytes held, this one among them, are the first of it. 0, -EPROTO, or PROTOCOL_TLS_BEGINS.
 */
int protocol_detect(struct protocol_detect *d, uint8_t byte, enum protocol *found);
/* The server spoke first. 1: as a MySQL server does; 0: it may be one, or as an HTTP/2 server may; < 0:
 * as neither does. */
int protocol_greeting(struct protocol_detect *d, const uint8_t *bytes, size_t n);

#endif
