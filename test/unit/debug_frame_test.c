/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/debug_frame.c over sections made by hand: each version and width, what must be left out, and
 * that what comes out is read, searched and vetted as any .eh_frame.
 */
#include "agent/debug_frame.h"

#include "agent/ehframe.h"
#include "agent/fde.h"
#include "agent/module_frames.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VADDR 0x10000
#define CODE 0x1000

struct section {
	uint8_t bytes[4096];
	size_t len;
	bool wide; /* 64-bit DWARF */
};

static void put(struct section *s, const void *bytes, size_t n)
{
	assert_true(n <= sizeof(s->bytes) - s->len);
	memcpy(s->bytes + s->len, bytes, n);
	s->len += n;
}

static void put_number(struct section *s, uint64_t v, size_t size)
{
	put(s, &v, size);
}

static size_t begin(struct section *s)
{
	size_t at = s->len;

	put_number(s, s->wide ? UINT32_MAX : 0, 4);
	if (s->wide)
		put_number(s, 0, 8);
	return at;
}

static void end(struct section *s, size_t at)
{
	size_t size = s->wide ? 8 : 4, field = s->wide ? at + 4 : at;
	uint64_t len = s->len - field - size;

	memcpy(s->bytes + field, &len, size);
}

/* rest: from the version on. */
static size_t put_cie(struct section *s, const void *rest, size_t n)
{
	size_t at = begin(s);

	put_number(s, UINT64_MAX, s->wide ? 8 : 4);
	put(s, rest, n);
	end(s, at);
	return at;
}

static void put_fde(struct section *s, size_t cie, uint64_t start, uint64_t size, const void *program,
		    size_t n)
{
	size_t at = begin(s);

	put_number(s, cie, s->wide ? 8 : 4);
	put_number(s, start, 8);
	put_number(s, size, 8);
	put(s, program, n);
	end(s, at);
}

#define CIE(s, ...)                                                                                  \
	({                                                                                         \
		static const uint8_t rest_[] = {__VA_ARGS__};                                      \
		put_cie(s, rest_, sizeof(rest_));                                                  \
	})
#define FDE(s, cie, start, size, ...)                                                                \
	do {                                                                                       \
		static const uint8_t program_[] = {__VA_ARGS__};                                   \
		put_fde(s, cie, start, size, program_, sizeof(program_));                          \
	} while (0)
#define RULES 0x0c, 7, 8, 0x90, 1 /* CFA rsp + 8, rip at CFA - 8 */
#define CIE1(s) CIE(s, 1, 0, 1, 0x78, 16, RULES)

/* Of its own size, so that sanitizers see the byte behind it. */
static struct module_frames transcribe(const struct section *s)
{
	struct module_frames f = {.vaddr = VADDR, .machine = EM_X86_64};
	uint8_t *exact = malloc(s->len ? s->len : 1);

	memcpy(exact, s->bytes, s->len);
	f.bytes = malloc(s->len * DEBUG_FRAME_GROWTH + 1);
	f.len = debug_frame_transcribe(exact, s->len, VADDR, f.bytes);
	assert_true(f.len <= s->len * DEBUG_FRAME_GROWTH);
	free(exact);
	return f;
}

/* "address:kind+offset" in a row each, as in ehframe_bytes_test.c; "" without a table. */
static void assert_table(const struct section *s, const char *expected)
{
	static const char kinds[] = "NRSFDdPGO";
	struct module_frames frames = transcribe(s);
	struct ehframe_table table;
	char text[1024] = "";
	size_t n = 0;

	if (!ehframe_compile(&frames, &table)) {
		for (size_t i = 0; i < table.count; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%lx:%c%d%s", i ? " " : "",
					      (unsigned long)(table.base + table.rows[i].start),
					      kinds[table.rows[i].cfa], table.rows[i].cfa_offset,
					      table.rows[i].fp == FEED_FP_SAVED ? "s" : "");
		ehframe_release(&table);
	}
	module_frames_release(&frames);
	assert_string_equal(text, expected);
}

#define TWO_FUNCTIONS "1000:S8 1001:S16s 1010:N0 1020:S8 1024:S24 1030:N0"

static void put_two(struct section *s, size_t cie)
{
	FDE(s, cie, CODE + 0x20, 0x10, 0x44, 0x0e, 24);
	FDE(s, cie, CODE, 0x10, 0x41, 0x0e, 16, 0x86, 2);
}

static void every_version_says_the_same(void **state)
{
	struct section s;

	for (int wide = 0; wide < 2; wide++) {
		s = (struct section){.wide = wide};
		put_two(&s, CIE1(&s));
		assert_table(&s, TWO_FUNCTIONS);
		s = (struct section){.wide = wide};
		put_two(&s, CIE(&s, 3, 0, 1, 0x78, 16, RULES));
		assert_table(&s, TWO_FUNCTIONS);
		/* With the sizes of addresses and segments, and numbers longer than they must be. */
		s = (struct section){.wide = wide};
		put_two(&s, CIE(&s, 4, 0, 8, 0, 0x81, 0, 0xf8, 0x7f, 0x90, 0, RULES));
		assert_table(&s, TWO_FUNCTIONS);
	}
}

static void a_cie_may_come_after_its_functions(void **state)
{
	struct section s = {0}, alone = {0};
	size_t size, filler = CIE1(&s);

	/* The FDEs are of one size: where the CIE will be is known. */
	CIE1(&alone);
	FDE(&alone, 0, CODE, 0x10, 0x0e, 16);
	size = alone.len;
	FDE(&s, size, CODE, 0x10, 0x0e, 16);
	assert_int_equal(s.len, size);
	put_cie(&s, "\x01\0\x01\x78\x10\x0c\x07\x20\x90\x01", 10); /* CFA rsp + 32 */
	(void)filler;
	assert_table(&s, "1000:S16 1010:N0");
}

static void what_cannot_be_used_is_left_out(void **state)
{
	static const struct {
		const char *why;
		uint8_t rest[16];
		size_t n;
	} bad[] = {
		{"an unknown version", {2, 0, 1, 0x78, 16, RULES}, 10},
		{"an augmentation", {1, 'z', 'R', 0, 1, 0x78, 16, 1, 0, RULES}, 14},
		{"addresses of 4 bytes", {4, 0, 4, 0, 1, 0x78, 16, RULES}, 12},
		{"segments", {4, 0, 8, 4, 1, 0x78, 16, RULES}, 12},
		{"a return column that no machine has", {3, 0, 1, 0x78, 0x80, 2, RULES}, 11},
		{"cut short", {1, 0, 1}, 3},
		{"instructions that are cut short", {1, 0, 1, 0x78, 16, 0x0c, 7}, 7},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct section s = {0};
		size_t good = CIE1(&s);

		FDE(&s, put_cie(&s, bad[i].rest, bad[i].n), CODE + 0x40, 0x10, 0x0e, 64);
		FDE(&s, good, CODE, 0x10, 0x0e, 16);
		assert_table(&s, "1000:S16 1010:N0");
	}
}

static void functions_that_make_no_sense_are_left_out(void **state)
{
	struct section s = {0};
	size_t cie = CIE1(&s);

	FDE(&s, cie, 0, 0x10, 0x0e, 16);		       /* dropped by the linker */
	FDE(&s, cie, CODE + 0x40, 0, 0x0e, 16);		       /* empty */
	FDE(&s, cie, CODE + 0x50, 0x10, 0x01, 1, 2, 3, 4, 5, 6, 7, 8); /* set_loc */
	FDE(&s, cie, CODE + 0x60, 0x10, 0x0e);		       /* cut short */
	FDE(&s, cie + 1, CODE + 0x70, 0x10, 0x0e, 16);	       /* of no CIE */
	FDE(&s, UINT32_MAX - 1, CODE + 0x80, 0x10, 0x0e, 16);
	FDE(&s, cie, CODE, 0x10, 0x0e, 24);
	assert_table(&s, "1000:S24 1010:N0");
}

static void after_a_broken_size_nothing_is_believed(void **state)
{
	struct section s = {0};
	size_t cie = CIE1(&s), at;

	FDE(&s, cie, CODE, 0x10, 0x0e, 16);
	at = s.len;
	FDE(&s, cie, CODE + 0x20, 0x10, 0x0e, 16);
	memcpy(s.bytes + at, "\xf0\xff\xff\x7f", 4);
	assert_table(&s, "1000:S16 1010:N0");
	for (size_t len = 0; len < at; len++) {
		struct section cut = s;
		struct module_frames frames;

		cut.len = len;
		frames = transcribe(&cut);
		module_frames_release(&frames);
	}
	s.len = 0;
	assert_table(&s, "");
}

static void the_table_made_for_it_leads_to_each_function(void **state)
{
	struct section s = {0};
	struct module_frames f;
	struct fde fde;

	put_two(&s, CIE1(&s));
	f = transcribe(&s);
	module_frames_make_hdr(&f);
	assert_true(f.hdr_len > 0);
	assert_int_equal(fde_find(&f, CODE, &fde), 0);
	assert_true(fde.start == CODE && fde.end == CODE + 0x10);
	assert_int_equal(fde_find(&f, CODE + 0x2f, &fde), 0);
	assert_true(fde.start == CODE + 0x20 && fde.end == CODE + 0x30);
	assert_int_not_equal(fde_find(&f, CODE + 0x10, &fde), 0);
	assert_int_not_equal(fde_find(&f, CODE - 1, &fde), 0);
	module_frames_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_version_says_the_same),
		cmocka_unit_test(a_cie_may_come_after_its_functions),
		cmocka_unit_test(what_cannot_be_used_is_left_out),
		cmocka_unit_test(functions_that_make_no_sense_are_left_out),
		cmocka_unit_test(after_a_broken_size_nothing_is_believed),
		cmocka_unit_test(the_table_made_for_it_leads_to_each_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
