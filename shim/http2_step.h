/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_step.h - private to the files of the HTTP/2 scanner: the state of a connection, and what
 * they call of each other. Context: APP.
 */
#ifndef SPANPROF_SHIM_HTTP2_STEP_H
#define SPANPROF_SHIM_HTTP2_STEP_H

#include <errno.h>

#include "shim/hpack.h"
#include "shim/http2.h"
#include "shim/propagator.h"

#define HTTP2_FRAME_HEADER 9

enum http2_type { /* RFC 9113, section 6; others are skipped */
		  HTTP2_DATA = 0,
		  HTTP2_HEADERS = 1,
		  HTTP2_RST_STREAM = 3,
		  HTTP2_SETTINGS = 4,
		  HTTP2_PUSH_PROMISE = 5,
		  HTTP2_GOAWAY = 7,
		  HTTP2_CONTINUATION = 9,
};

enum http2_flag {
	HTTP2_END_STREAM = 1,
	HTTP2_END_HEADERS = 4,
	HTTP2_PADDED = 8,
	HTTP2_PRIORITY = 0x20,
};

/* A frame being walked: its header in bytes[], valid once got says that it is whole. */
struct http2_frame {
	uint8_t bytes[HTTP2_FRAME_HEADER];
	uint8_t got;
	uint8_t type, flags;
	uint32_t stream;
	uint32_t left; /* of the payload */
};

enum http2_where { /* in the direction of requests */
		   HTTP2_IN_PREFACE,
		   HTTP2_IN_FRAME_HEADER,
		   HTTP2_IN_PREFIX,   /* pad length and priority of a HEADERS frame */
		   HTTP2_IN_FRAGMENT, /* of a header block */
		   HTTP2_IN_REST,     /* whatever else there is of the frame */
};

struct http2 {
	/* requests */
	struct http2_frame in;
	uint8_t where;	   /* enum http2_where */
	uint8_t preface;   /* bytes of it seen */
	uint8_t settled;   /* the first frame was seen */
	uint8_t in_block;  /* a header block is not complete: only CONTINUATION may come */
	uint8_t is_head;   /* that block opens a stream */
	uint8_t ends;	   /* ... which has no body */
	uint8_t head_done; /* to be reported */
	uint8_t prefix;	   /* bytes of it to come */
	uint8_t pad;
	int error;
	uint32_t fragment; /* bytes of it to come in this frame */
	uint32_t block;	   /* bytes of the header block so far */
	uint32_t block_stream;
	uint32_t last_stream; /* highest id that the client opened */
	struct request_head head;
	struct propagator propagator;
	struct hpack *hpack;
	http2_seen_fn *seen; /* during a call of http2_feed_seen() */
	void *seen_arg;

	/* answers */
	struct http2_frame out;
	uint8_t out_lost; /* where frames begin is not known any more */
	uint8_t out_settled;
	uint8_t out_ends; /* the header block that is going out is its stream's last */
	uint8_t goaway_got;   /* bytes of this one's last stream */
	uint32_t goaway;
	uint32_t last_answered; /* as the last whole one says; 0x7fffffff: none came */

	uint32_t count, forgotten;
	struct http2_stream streams[HTTP2_STREAMS_MAX]; /* the first count, ascending */
};

/* Take in up to n bytes of a frame's header; how many. When got is HTTP2_FRAME_HEADER it is whole.
 */
size_t http2_frame_feed(struct http2_frame *f, const uint8_t *bytes, size_t n);
static inline bool http2_frame_whole(const struct http2_frame *f)
{
	return f->got == HTTP2_FRAME_HEADER;
}

/* A header block that opens a stream begins, has ended; a header of any block (an hpack_header_fn).
 */
void http2_head_begin(struct http2 *h);
void http2_head_end(struct http2 *h);
void http2_head_header(void *h, const char *name, size_t name_length, const char *value,
		       size_t value_length);

#endif
