/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 responses as they are written to a connection: where each ends, and its status. Fed every
 * byte, or for bodies that no wrapper sees (sendfile, splice) their number. Context: APP; no
 * allocation, no lock, no errno. Zeroed memory is an initialised scanner.
 */
#ifndef SPANPROF_SHIM_HTTP1_RESPONSE_H
#define SPANPROF_SHIM_HTTP1_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HTTP1_RESPONSE_HEAD_MAX (256 * 1024) /* a head, or a chunk's size line with the trailers */
#define HTTP1_RESPONSE_AWAITED_MAX 16	     /* pipelined requests */

/* Private to http1_response.c. */
struct http1_response {
	uint64_t left;	  /* of the body, or of this chunk */
	uint32_t head;	  /* bytes of this head; of chunk framing in a chunked body */
	uint16_t status;  /* of the last final response that has one; 0: none yet */
	uint16_t heads;	  /* bit set, the oldest request in bit 0: it was a HEAD */
	uint16_t connects; /* ... a CONNECT */
	uint8_t awaited;  /* requests without a complete response */
	uint8_t state;
	uint8_t position; /* in the token that is read */
	uint8_t seen;
	uint8_t error; /* errno, once lost */
	uint8_t names; /* bit set: headers that this line's name may yet be */
};

/* A request went by: its response comes after those of the requests before it. */
void http1_response_expect(struct http1_response *r, const char *method);
/*
 * The next n bytes. > 0: a final response ended after that many, or one behind which another
 * protocol begins (101, or 2xx to a CONNECT; status says which); 0: none ended; < 0, for good:
 * -EPROTO (not HTTP/1, or not safely so), -E2BIG, -EPROTONOSUPPORT (it is that other protocol).
 */
ssize_t http1_response_feed(struct http1_response *r, const void *bytes, size_t n);
/* The same of n bytes that were not seen: what is not body among them, loses the scanner. */
ssize_t http1_response_skip(struct http1_response *r, size_t n);
/* Whether another protocol has begun. */
bool http1_response_over(const struct http1_response *r);
/* Whether the response that is under way ends with the connection only. */
bool http1_response_until_close(const struct http1_response *r);

#endif
