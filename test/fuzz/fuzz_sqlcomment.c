/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQL scanner on any statement. The first two bytes of the input say where to cut the rest, and its
 * dialect: fed whole and in two pieces, each a heap block of its exact size, it must say the same. What
 * has no "traceparent" in it, or is quoted as a whole, has no context.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/sqlcomment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	struct request_head head;
	struct trace_context context;
	bool has;
};

static void feed(struct sqlcomment *s, struct result *r, const uint8_t *bytes, size_t n)
{
	char *copy = malloc(n);

	memcpy(copy, bytes, n);
	sqlcomment_feed(s, &r->head, copy, n);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole, split, quoted;
	struct sqlcomment s;
	enum sql_dialect dialect;
	size_t cut;

	if (size < 3)
		return 0;
	memset(&whole, 0, sizeof(whole));
	memset(&split, 0, sizeof(split));
	memset(&quoted, 0, sizeof(quoted));
	dialect = data[1] & 0x80 ? SQL_MYSQL : SQL_POSTGRES;
	cut = (size_t)(data[0] | (data[1] & 0x7f) << 8) % (size - 2);
	data += 2;
	size -= 2;
	sqlcomment_begin(&s, dialect, &whole.head);
	feed(&s, &whole, data, size);
	whole.has = sqlcomment_end(&s, &whole.context);
	sqlcomment_begin(&s, dialect, &split.head);
	feed(&s, &split, data, cut);
	feed(&s, &split, data + cut, size - cut);
	split.has = sqlcomment_end(&s, &split.context);
	if (memcmp(&whole, &split, sizeof(whole)))
		__builtin_trap();
	if (whole.has && !memmem(data, size, "traceparent", 11))
		__builtin_trap();
	if (memchr(data, '$', size) || dialect == SQL_MYSQL)
		return 0;
	sqlcomment_begin(&s, dialect, &quoted.head);
	sqlcomment_feed(&s, &quoted.head, "$q$", 3);
	feed(&s, &quoted, data, size);
	sqlcomment_feed(&s, &quoted.head, "$q$", 3);
	if (sqlcomment_end(&s, &quoted.context))
		__builtin_trap();
	return 0;
}
