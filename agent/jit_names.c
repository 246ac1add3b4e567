/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jit_names.c - an open-addressing table of names that only grows, up to its bound. AGENT. Nothing
 * is ever taken out: aggregated stacks hold numbers, and nobody counts which.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/jit_names.h"

#define JIT_NAMES_SLOTS (2 * JIT_NAMES_MAX) /* a power of two */

const char jit_name_other[] = "[jit]";

struct jit_names {
	_Atomic size_t count; /* the next number; 0 is nobody's. What is below never changes */
	struct jit_name names[JIT_NAMES_MAX];
	uint32_t hashes[JIT_NAMES_MAX];
	uint32_t slots[JIT_NAMES_SLOTS]; /* numbers; 0: free */
};

struct jit_names *jit_names_new(void)
{
	struct jit_names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->names[JIT_NAME_OTHER].name = jit_name_other;
	n->count = JIT_NAME_OTHER + 1;
	return n;
}

void jit_names_free(struct jit_names *n)
{
	/* A file's name stands behind the function's, in the same block. */
	for (size_t i = JIT_NAME_OTHER + 1; n && i < n->count; i++)
		free((char *)n->names[i].name);
	free(n);
}

/* Bytes of the character at text, 0 if it is none: RFC 3629's table of well-formed sequences. */
static size_t character(const unsigned char *text, size_t n)
{
	unsigned char first = text[0];
	size_t length = first < 0x80   ? 1
			: first < 0xc2 ? 0
			: first < 0xe0 ? 2
			: first < 0xf0 ? 3
				       : 4;

	if (!length || first > 0xf4 || length > n)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond the last plane. */
	if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
	    (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

static bool control(const unsigned char *text, size_t length)
{
	return (length == 1 && (text[0] < 0x20 || text[0] == 0x7f)) ||
	       (length == 2 && text[0] == 0xc2 && text[1] < 0xa0);
}

size_t jit_names_clean(char *out, const char *text, size_t length)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t used = 0;

	for (size_t i = 0; i < length;) {
		const unsigned char *at = (const unsigned char *)text + i;
		size_t n = character(at, length - i), size = n ? n : sizeof(replacement) - 1;

		i += n ? n : 1;
		if (n && control(at, n))
			continue;
		if (used + size > JIT_NAME_MAX)
			break;
		memcpy(out + used, n ? (const char *)at : replacement, size);
		used += size;
	}
	out[used] = 0;
	return used;
}

static uint32_t hash_text(uint32_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x01000193U;
	return hash * 0x01000193U;
}

static bool same(const struct jit_name *a, const char *name, const char *file, int64_t line)
{
	return a->line == line && !strcmp(a->name, name) && !strcmp(a->file ? a->file : "", file);
}

static uint32_t add(struct jit_names *n, const char *name, const char *file, int64_t line)
{
	size_t length = strlen(name) + 1, file_length = *file ? strlen(file) + 1 : 0;
	char *block = n->count < JIT_NAMES_MAX ? malloc(length + file_length) : NULL;

	if (!block)
		return JIT_NAME_OTHER;
	memcpy(block, name, length);
	memcpy(block + length, file, file_length);
	n->names[n->count] = (struct jit_name){block, file_length ? block + length : NULL, line};
	return (uint32_t)n->count++;
}

uint32_t jit_names_put(struct jit_names *n, const char *name, size_t length, const char *file,
		       size_t file_length, int64_t line)
{
	char text[JIT_NAME_MAX + 1], path[JIT_NAME_MAX + 1] = "";
	uint32_t hash, *slot, number;

	if (!jit_names_clean(text, name, length))
		return JIT_NAME_OTHER;
	if (file)
		jit_names_clean(path, file, file_length);
	hash = hash_text(hash_text(0x811c9dc5U ^ (uint32_t)line, text), path);
	slot = &n->slots[(hash ^ hash >> 15) % JIT_NAMES_SLOTS];
	while (*slot && (n->hashes[*slot] != hash || !same(&n->names[*slot], text, path, line)))
		slot = slot + 1 < n->slots + JIT_NAMES_SLOTS ? slot + 1 : n->slots;
	if (*slot)
		return *slot;
	number = add(n, text, path, line);
	if (number != JIT_NAME_OTHER) {
		n->hashes[number] = hash;
		*slot = number;
	}
	return number;
}

const struct jit_name *jit_names_get(const struct jit_names *n, uint32_t number)
{
	return &n->names[number && number < n->count ? number : JIT_NAME_OTHER];
}

size_t jit_names_count(const struct jit_names *n)
{
	return n->count;
}
