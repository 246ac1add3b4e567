/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a perf map: whole and in two pieces it says the same, every entry lies in the text,
 * and what names are made of is valid UTF-8.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/jit_names.h"
#include "agent/symbol_perfmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Up to n bytes from offset at on, as a file that is read in chunks of that end. */
static size_t feed(struct perfmap *map, struct jit_code *code, const uint8_t *data, size_t at,
		   size_t end)
{
	size_t used = perfmap_feed(map, (const char *)data + at, end - at, at, code, 0);

	if (used > end - at)
		abort();
	return at + used;
}

static void check_entry(const struct jit_entry *e, const uint8_t *data, size_t size)
{
	char once[JIT_NAME_MAX + 1], twice[JIT_NAME_MAX + 1];
	size_t n;

	if (!e->length || e->length > JIT_TEXT_MAX || e->text + e->length > size ||
	    memchr(data + e->text, '\n', e->length))
		abort();
	n = jit_names_clean(once, (const char *)data + e->text, e->length);
	if (n > JIT_NAME_MAX || jit_names_clean(twice, once, n) != n || memcmp(once, twice, n + 1))
		abort();
}

static void check_same(const struct jit_code *a, const struct jit_code *b, const uint8_t *data,
		       size_t size)
{
	/* Deleted entries keep their place; the ranges of one are what the other is asked for. */
	for (uint32_t i = 1; i < a->used; i++) {
		const struct jit_entry *e = jit_code_find(a, a->entries[i].start);
		const struct jit_entry *f = jit_code_find(b, a->entries[i].start);

		if (!e != !f)
			abort();
		if (!e)
			continue;
		check_entry(e, data, size);
		if (e->start >= e->end || e->start != f->start || e->end != f->end ||
		    e->text != f->text)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jit_code whole = {0}, pieces = {0};
	struct perfmap a = {0}, b = {0};
	size_t cut = size ? data[0] * size / 256 : 0;

	feed(&a, &whole, data, 0, size);
	feed(&b, &pieces, data, feed(&b, &pieces, data, 0, cut), size);
	if (a.malformed != b.malformed)
		abort();
	check_same(&whole, &pieces, data, size);
	jit_code_release(&whole);
	jit_code_release(&pieces);
	return 0;
}
