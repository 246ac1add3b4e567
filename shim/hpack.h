/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hpack.h - header blocks of one direction of an HTTP/2 connection to names and values (RFC 7541),
 * by nghttp2's inflater, linked in statically and hidden, on memory of the caller's. Whatever
 * happens in it, the host goes on: it has no malloc, and its failed assertions come back as an
 * error. Context: APP. The caller serialises calls on one decoder.
 */
#ifndef SPANPROF_SHIM_HPACK_H
#define SPANPROF_SHIM_HPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest dynamic table that is followed, as the RFC counts it; memory may allow less. */
#define HPACK_TABLE_MAX 65536

struct hpack;

/* One header, in the order of the block. name and value end in a NUL that is not counted. */
typedef void hpack_header_fn(void *arg, const char *name, size_t name_length, const char *value,
			     size_t value_length);

/* A decoder in size bytes at memory (aligned to 16), which is all that it will ever use. NULL: too
 * little. There is nothing to release. */
struct hpack *hpack_init(void *memory, uint32_t size);

/*
 * The next n bytes of a header block; last: it ends with them. 0, or for good -EPROTO (no valid
 * block), -ENOMEM (it needs more than there is), -EFAULT (the decoder failed its own checks).
 */
int hpack_feed(struct hpack *h, const void *bytes, size_t n, bool last, hpack_header_fn *header,
	       void *arg);

#endif
