/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deduplicating table behind profile.c: an array of owned strings (which protobuf-c packs as it
 * stands), and a hash index over it with open addressing and linear probing, never more than half
 * full. Nothing is ever removed. Context AGENT.
 */
#include "pprof/strtab.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STRTAB_FIRST_SLOTS 256

/* Slots hold 32-bit indices. */
#define STRTAB_MAX_SLOTS ((size_t)1 << 31)

int pprof_strtab_init(struct pprof_strtab *t)
{
	memset(t, 0, sizeof(*t));
	t->slots = calloc(STRTAB_FIRST_SLOTS, sizeof(*t->slots));
	t->strings = calloc(STRTAB_FIRST_SLOTS / 2, sizeof(*t->strings));
	t->entries = calloc(STRTAB_FIRST_SLOTS / 2, sizeof(*t->entries));
	if (!t->slots || !t->strings || !t->entries)
		goto fail;
	t->strings[0] = calloc(1, 1);
	if (!t->strings[0])
		goto fail;
	t->n = 1;
	t->n_slots = STRTAB_FIRST_SLOTS;
	return 0;
fail:
	pprof_strtab_release(t);
	return -ENOMEM;
}

void pprof_strtab_release(struct pprof_strtab *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->strings[i]);
	free(t->strings);
	free(t->entries);
	free(t->slots);
	memset(t, 0, sizeof(*t));
}

/* FNV-1a: names are short, and one byte at a time costs less than the symbol lookup before it. */
static uint32_t hash_bytes(const unsigned char *bytes, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	/* Rows differ mostly in low bits of their first bytes, probing looks at low bits only. */
	return hash ^ (hash >> 15);
}

/* The slot that holds these bytes, or the free one where they belong. */
static uint32_t *find_slot(const struct pprof_strtab *t, uint32_t hash, const void *bytes,
			   size_t len)
{
	size_t mask = t->n_slots - 1;
	size_t at = hash & mask;

	for (; t->slots[at]; at = (at + 1) & mask) {
		const struct pprof_strtab_entry *e = &t->entries[t->slots[at]];

		if (e->hash == hash && e->len == len &&
		    !memcmp(t->strings[t->slots[at]], bytes, len))
			break;
	}
	return &t->slots[at];
}

static void fill_slots(const struct pprof_strtab *t, uint32_t *slots, size_t n_slots)
{
	size_t mask = n_slots - 1;

	for (size_t i = 1; i < t->n; i++) {
		size_t at = t->entries[i].hash & mask;

		while (slots[at])
			at = (at + 1) & mask;
		slots[at] = (uint32_t)i;
	}
}

/* Twice the room. Arrays that grew before another one failed stay: larger does no harm. */
static int grow(struct pprof_strtab *t)
{
	size_t n_slots = t->n_slots * 2;
	size_t room = n_slots / 2;
	struct pprof_strtab_entry *entries;
	char **strings;
	uint32_t *slots;

	if (n_slots > STRTAB_MAX_SLOTS)
		return -ENOMEM;
	strings = realloc(t->strings, room * sizeof(*strings));
	if (!strings)
		return -ENOMEM;
	t->strings = strings;
	entries = realloc(t->entries, room * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	t->entries = entries;
	slots = calloc(n_slots, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	fill_slots(t, slots, n_slots);
	free(t->slots);
	t->slots = slots;
	t->n_slots = n_slots;
	return 0;
}

int64_t pprof_strtab_intern_bytes(struct pprof_strtab *t, const void *bytes, size_t len)
{
	uint32_t hash, *slot;
	char *copy;

	if (len == 0)
		return 0;
	hash = hash_bytes(bytes, len);
	slot = find_slot(t, hash, bytes, len);
	if (*slot)
		return *slot;
	if (t->n == t->n_slots / 2) {
		if (grow(t))
			return -ENOMEM;
		slot = find_slot(t, hash, bytes, len);
	}
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	t->strings[t->n] = copy;
	t->entries[t->n] = (struct pprof_strtab_entry){.len = len, .hash = hash};
	*slot = (uint32_t)t->n;
	return (int64_t)t->n++;
}

/*
 * Length of the UTF-8 sequence at s (RFC 3629, section 4), 0 if there is none. The second byte's
 * range is what excludes overlong forms, surrogates and all beyond U+10FFFF. A string that ends
 * within a sequence is safe to look at: NUL is no continuation byte.
 */
static size_t utf8_sequence(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return len;
}

static bool utf8_valid(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t step;

	for (; *s; s += step) {
		step = utf8_sequence(s);
		if (!step)
			return false;
	}
	return true;
}

static void utf8_repair(char *text)
{
	unsigned char *s = (unsigned char *)text;

	while (*s) {
		size_t step = utf8_sequence(s);

		if (!step) {
			*s = '?';
			step = 1;
		}
		s += step;
	}
}

int64_t pprof_strtab_intern(struct pprof_strtab *t, const char *text)
{
	int64_t index;
	char *copy;

	if (!text)
		return 0;
	if (utf8_valid(text))
		return pprof_strtab_intern_bytes(t, text, strlen(text));
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	utf8_repair(copy);
	index = pprof_strtab_intern_bytes(t, copy, strlen(copy));
	free(copy);
	return index;
}
