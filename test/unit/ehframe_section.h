/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ehframe_section.h - a builder of .eh_frame sections, record by record. For tests that include cmocka.
 */
#ifndef SPANPROF_TEST_EHFRAME_SECTION_H
#define SPANPROF_TEST_EHFRAME_SECTION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECTION_VADDR 0x10000
#define CODE 0x1000 /* link-time address of the code */

struct section {
	uint8_t bytes[4096];
	size_t len;
};

static inline void put(struct section *s, const void *bytes, size_t n)
{
	assert_true(n <= sizeof(s->bytes) - s->len);
	memcpy(s->bytes + s->len, bytes, n);
	s->len += n;
}

static inline void put_number(struct section *s, uint64_t v, size_t size)
{
	put(s, &v, size);
}

static inline size_t begin(struct section *s)
{
	put_number(s, 0, 4);
	return s->len - 4;
}

static inline void end(struct section *s, size_t at)
{
	uint32_t len;

	while (s->len % 4)
		put_number(s, 0, 1);
	len = (uint32_t)(s->len - at - 4);
	memcpy(s->bytes + at, &len, 4);
}

static inline size_t put_cie(struct section *s, uint8_t version, const char *letters, const void *rest,
		      size_t n)
{
	size_t at = begin(s);

	put_number(s, 0, 4);
	put_number(s, version, 1);
	put(s, letters, strlen(letters) + 1);
	put(s, rest, n);
	end(s, at);
	return at;
}

/* head: what lies between the CIE's offset and the instructions. */
static inline void put_fde(struct section *s, size_t cie, const void *head, size_t head_len,
		    const void *program, size_t n)
{
	size_t at = begin(s);

	put_number(s, at + 4 - cie, 4);
	put(s, head, head_len);
	put(s, program, n);
	end(s, at);
}

#define CIE(s, version, letters, ...)                                                              \
	({                                                                                         \
		static const uint8_t rest_[] = {__VA_ARGS__};                                      \
		put_cie(s, version, letters, rest_, sizeof(rest_));                                \
	})
#define FDE(s, cie, start, size, ...)                                                              \
	do {                                                                                       \
		const uint64_t head_[] = {start, size};                                            \
		static const uint8_t program_[] = {0, __VA_ARGS__};                                \
		put_fde(s, cie, head_, sizeof(head_), program_, sizeof(program_));                 \
	} while (0)

#endif
