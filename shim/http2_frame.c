/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_frame.c - the nine bytes before every frame (RFC 9113, section 4.1), however they are cut.
 * Context: APP; for both directions of the scanner.
 */
#include <string.h>

#include "shim/http2_step.h"

size_t http2_frame_feed(struct http2_frame *f, const uint8_t *bytes, size_t n)
{
	size_t take = (size_t)(HTTP2_FRAME_HEADER - f->got);

	if (take > n)
		take = n;
	memcpy(f->bytes + f->got, bytes, take);
	f->got += (uint8_t)take;
	if (http2_frame_whole(f)) {
		const uint8_t *b = f->bytes;

		f->left = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
		f->type = b[3];
		f->flags = b[4];
		f->stream = (uint32_t)(b[5] & 0x7f) << 24 | (uint32_t)b[6] << 16 |
			    (uint32_t)b[7] << 8 | b[8];
	}
	return take;
}
