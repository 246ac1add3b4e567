/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FastCGI requests as they come to an application (FastCGI 1.0): a head is all of a request's PARAMS;
 * its answer is over with END_REQUEST. One request at a time: a connection that carries several at
 * once is given up. Context: APP; no allocation, no lock, no errno. Zeroed memory is initialised.
 */
#ifndef SPANPROF_SHIM_FASTCGI_H
#define SPANPROF_SHIM_FASTCGI_H

#include <sys/types.h>

#include "shim/cgi.h"

#define FASTCGI_PARAMS_MAX (256 * 1024)

/* Private to fastcgi.c. */
struct fastcgi {
	struct request_head request;
	struct cgi cgi;
	uint32_t params;       /* bytes of them so far */
	uint32_t lengths[2];   /* left of this pair's name and value */
	uint16_t left;	       /* of this record's content */
	uint16_t id;	       /* of the live request; 0: none */
	uint16_t answer_left;  /* of the record that is being written */
	uint8_t header[8];     /* of the record, as far as it has come */
	uint8_t answer[8];     /* of the record that is being written */
	uint8_t header_length; /* 8: in its content or padding */
	uint8_t answer_length;
	uint8_t length_bytes;  /* of this length, still to come */
	uint8_t pair;	       /* enum pair */
	uint8_t error, answer_error;
	bool head_done;	       /* PARAMS are complete */
	bool input_done;       /* STDIN too */
};

/*
 * The next n bytes from the server. > 0: a head ended after that many, see request; 0: none;
 * < 0: -EPROTO, -E2BIG, for good.
 */
ssize_t fastcgi_feed(struct fastcgi *f, const void *bytes, size_t n);
/*
 * The next n bytes to the server; NULL: they were not seen. > 0: the request's answer is complete
 * after that many; 0: not yet; < 0: no end will be seen any more.
 */
ssize_t fastcgi_answer(struct fastcgi *f, const void *bytes, size_t n);

#endif
