/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rewrites the records of .debug_frame (DWARF 5, 6.4.1), CIEs first, then FDEs.
 *
 * AGENT: called by module_frames.c. The instructions are the same in both sections and are copied, but
 * for DW_CFA_set_loc, whose operand they encode differently and which no toolchain emits: a record that
 * has it is left out.
 */
#include "agent/debug_frame.h"

#include "agent/cfa_program.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ID32 UINT32_MAX
#define ID64 UINT64_MAX
#define ESCAPE64 UINT32_MAX /* in place of a length: a longer one follows */
#define ADDRESS 8
#define ALIGN 8
#define ENCODING 0x1c /* of addresses: relative to their place, signed, 8 bytes */
#define NO_ENCODING 0xff
#define REGISTERS_MAX 128
#define REMEMBER_MAX 16

struct known_cie {
	uint64_t from;
	uint32_t to;
};

struct transcript {
	const uint8_t *bytes;
	size_t len;
	uint64_t vaddr;
	uint8_t *out;
	size_t n, room;
	struct known_cie *cies; /* ascending */
	size_t cie_count;
};

/* A record, the field that says what it is read off. */
struct record {
	struct cfa_bytes b;
	uint64_t id; /* of a 32-bit CIE, as of a 64-bit one: ID64 */
};

static bool take(struct cfa_bytes *b, void *to, size_t n)
{
	if (n > (size_t)(b->end - b->at))
		return false;
	memcpy(to, b->at, n);
	b->at += n;
	return true;
}

/* false: there is no further one that can be believed. *at moves on. */
static bool next(const struct transcript *t, size_t *at, struct record *r)
{
	struct cfa_bytes b = {t->bytes + *at, t->bytes + t->len};
	uint32_t short_length, id = 0;
	uint64_t length;
	bool wide;

	if (!take(&b, &short_length, sizeof(short_length)))
		return false;
	length = short_length;
	wide = short_length == ESCAPE64;
	if (wide && !take(&b, &length, sizeof(length)))
		return false;
	if (length > (uint64_t)(b.end - b.at))
		return false;
	b.end = b.at + length;
	*at = (size_t)(b.end - t->bytes);
	r->id = 0;
	if (!take(&b, wide ? (void *)&r->id : (void *)&id, wide ? 8 : 4))
		return false;
	if (!wide)
		r->id = id == ID32 ? ID64 : id;
	r->b = b;
	return true;
}

static void put(struct transcript *t, const void *bytes, size_t n)
{
	if (n <= t->room - t->n)
		memcpy(t->out + t->n, bytes, n);
	else /* cannot be: see DEBUG_FRAME_GROWTH */
		n = t->room - t->n;
	t->n += n;
}

static void put_u32(struct transcript *t, uint32_t v)
{
	put(t, &v, sizeof(v));
}

static void put_u8(struct transcript *t, uint8_t v)
{
	put(t, &v, sizeof(v));
}

static void put_u64(struct transcript *t, uint64_t v)
{
	put(t, &v, sizeof(v));
}

/* The instructions, padded with those that do nothing, and the length of it all. */
static void put_program(struct transcript *t, size_t start, const struct cfa_bytes *program)
{
	static const uint8_t nops[ALIGN];
	uint32_t length;

	put(t, program->at, (size_t)(program->end - program->at));
	put(t, nops, (ALIGN - (t->n - start) % ALIGN) % ALIGN);
	length = (uint32_t)(t->n - start - sizeof(length));
	memcpy(t->out + start, &length, sizeof(length));
}

static bool usable(const struct cfa_bytes *program)
{
	return cfa_program_safe(program->at, program->end, NO_ENCODING, REGISTERS_MAX, REMEMBER_MAX);
}

/* Version 4 says how long addresses are, and whether segments come with them. */
static bool plain_addresses(struct cfa_bytes *b, uint8_t version)
{
	uint8_t address, segment;

	return version < 4 || (cfa_u8(b, &address) && cfa_u8(b, &segment) && address == ADDRESS && !segment);
}

static bool return_column(struct cfa_bytes *b, uint8_t version, uint64_t *column)
{
	uint8_t byte;

	if (version > 1)
		return cfa_uleb(b, column) && *column <= UINT8_MAX;
	if (!cfa_u8(b, &byte))
		return false;
	*column = byte;
	return true;
}

static void add_cie(struct transcript *t, const struct record *r, size_t at)
{
	struct cfa_bytes b = r->b, factors;
	uint64_t code_align, column;
	int64_t data_align;
	uint8_t version, letters;
	size_t start = t->n;

	if (t->cie_count == DEBUG_FRAME_CIES_MAX || !cfa_u8(&b, &version) ||
	    (version != 1 && version != 3 && version != 4) || !cfa_u8(&b, &letters) || letters ||
	    !plain_addresses(&b, version))
		return;
	factors.at = b.at;
	if (!cfa_uleb(&b, &code_align) || !cfa_sleb(&b, &data_align))
		return;
	factors.end = b.at;
	if (!return_column(&b, version, &column) || !usable(&b))
		return;
	put_u32(t, 0);
	put_u32(t, 0);
	put_u8(t, 1);
	put(t, "zR", 3);
	put(t, factors.at, (size_t)(factors.end - factors.at));
	put_u8(t, (uint8_t)column);
	put_u8(t, 1);
	put_u8(t, ENCODING);
	put_program(t, start, &b);
	t->cies[t->cie_count++] = (struct known_cie){at, (uint32_t)start};
}

static const struct known_cie *find_cie(const struct transcript *t, uint64_t from)
{
	size_t lo = 0, hi = t->cie_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->cies[mid].from < from)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->cie_count && t->cies[lo].from == from ? &t->cies[lo] : NULL;
}

static void add_fde(struct transcript *t, const struct record *r)
{
	const struct known_cie *cie = find_cie(t, r->id);
	struct cfa_bytes b = r->b;
	uint64_t start, range;
	size_t at = t->n;

	/* Linkers leave functions that they dropped at address 0. */
	if (!cie || !take(&b, &start, ADDRESS) || !take(&b, &range, ADDRESS) || !start || !range ||
	    !usable(&b))
		return;
	put_u32(t, 0);
	put_u32(t, (uint32_t)(t->n - cie->to));
	put_u64(t, start - (t->vaddr + t->n));
	put_u64(t, range);
	put_u8(t, 0);
	put_program(t, at, &b);
}

size_t debug_frame_transcribe(const uint8_t *bytes, size_t len, uint64_t vaddr, uint8_t *out)
{
	struct transcript t = {.bytes = bytes, .len = len, .vaddr = vaddr, .out = out};
	struct record r;

	if (len > UINT32_MAX / DEBUG_FRAME_GROWTH / 2)
		return 0;
	t.room = len * DEBUG_FRAME_GROWTH;
	t.cies = calloc(DEBUG_FRAME_CIES_MAX, sizeof(*t.cies));
	if (!t.cies)
		return 0;
	for (size_t at = 0, from = 0; next(&t, &at, &r); from = at)
		if (r.id == ID64)
			add_cie(&t, &r, from);
	for (size_t at = 0; next(&t, &at, &r);)
		if (r.id != ID64)
			add_fde(&t, &r);
	free(t.cies);
	return t.n;
}
