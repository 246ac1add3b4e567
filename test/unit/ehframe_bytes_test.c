/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/ehframe.c over sections made by hand: several CIEs, functions out of order, apart and over
 * one another, every encoding of an address, and what must be refused.
 */
#include "agent/ehframe.h"
#include "test/unit/ehframe_section.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Code alignment, data alignment, return column, then instructions: as every x86-64 CIE, no 'z'. */
#define PLAIN(s)                                                                                   \
	({                                                                                         \
		static const uint8_t plain_[] = {1, 0x78, 16, 0x0c, 7, 8, 0x90, 1};                \
		put_cie(s, 1, "", plain_, sizeof(plain_));                                         \
	})
static int compile(struct section *s, struct ehframe_table *table)
{
	const struct module_frames frames = {
	    .vaddr = SECTION_VADDR,
	    .bytes = s->bytes,
	    .len = s->len,
	    .machine = EM_X86_64,
	};

	return ehframe_compile(&frames, table);
}

/* "address:kind+offset" in a row each; kinds are N, R, S, F and O. */
static void assert_table(struct section *s, const char *expected)
{
	static const char kinds[] = "NRSFDdPGO";
	struct ehframe_table table;
	char text[1024];
	size_t n = 0;

	assert_int_equal(compile(s, &table), 0);
	for (size_t i = 0; i < table.count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%lx:%c%d%s", i ? " " : "",
				      (unsigned long)(table.base + table.rows[i].start),
				      kinds[table.rows[i].cfa], table.rows[i].cfa_offset,
				      table.rows[i].fp == FEED_FP_SAVED ? "s" : "");
	ehframe_release(&table);
	assert_string_equal(text, expected);
}

static void functions_are_sorted_gaps_filled_and_equal_rows_merged(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);

	FDE(&s, cie, CODE + 0x40, 0x10, 0x44, 0x0e, 16, 0x44, 0x0e, 16);
	FDE(&s, cie, CODE, 0x10);
	FDE(&s, cie, CODE + 0x10, 0x10, 0x48, 0x0e, 24);
	assert_table(&s, "1000:S8 1018:S24 1020:N0 1040:S8 1044:S16 1050:N0");
}

static void of_functions_that_overlap_the_first_keeps_its_code(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);

	FDE(&s, cie, CODE + 8, 0x10, 0x0e, 16, 0x44, 0x0e, 24, 0x48, 0x0e, 32);
	FDE(&s, cie, CODE, 0x10);
	FDE(&s, cie, CODE, 0x20, 0x0e, 40);    /* starts with one that is described earlier */
	FDE(&s, cie, CODE + 4, 4, 0x0e, 48);   /* inside */
	FDE(&s, cie, CODE + 0x30, 0, 0x0e, 8); /* empty */
	FDE(&s, cie, 0, 0x10);		       /* dropped by the linker */
	assert_table(&s, "1000:S8 1010:S40 1020:N0");
}

static void each_function_is_under_its_own_cie(void **state)
{
	struct section s = {0};
	size_t first = PLAIN(&s), second, third;

	FDE(&s, first, CODE, 0x10, 0xc6);
	/* Code in units of 4, data in units of -4; rbp saved from the start. */
	second = CIE(&s, 3, "", 4, 0x7c, 16, 0x0c, 7, 16, 0x90, 2, 0x86, 4);
	FDE(&s, second, CODE + 0x10, 0x20, 0x41, 0x08, 6, 0x41, 0xc6, 0x41, 0x07, 6, 0x41, 0x06, 6);
	FDE(&s, first, CODE + 0x30, 0x10, 0x12, 6, 0x7e, 0x44, 0x13, 0x7d);
	third = CIE(&s, 3, "", 1, 0x78, 17, 0x0c, 7, 8, 0x91, 1); /* rip in column 17 */
	FDE(&s, third, CODE + 0x40, 0x10, 0x44, 0x90, 5, 0x44, 0x07, 17);
	assert_table(&s,
		     "1000:S8 1010:S16s 1014:S16 1018:S16s 101c:S16 1020:S16s 1030:F16 1034:F24 "
		     "1040:S8 1048:R0 1050:N0");
}

/* One function at CODE, 16 bytes, by a CIE with 'R'. */
static void assert_encoding(uint8_t encoding, size_t size)
{
	struct section s = {0};
	const uint8_t rest[] = {1, 0x78, 16, 1, encoding, 0x0c, 7, 8, 0x90, 1};
	size_t cie = put_cie(&s, 1, "zR", rest, sizeof(rest)), at = begin(&s);
	uint64_t start = encoding & 0x10 ? CODE - (SECTION_VADDR + s.len + 4) : CODE;

	put_number(&s, at + 4 - cie, 4);
	put_number(&s, start, size);
	put_number(&s, 16, size);
	put(&s, "\0\x44\x0e\x10\x01", 5); /* and set_loc, to the seventh byte */
	start = encoding & 0x10 ? CODE + 7 - (SECTION_VADDR + s.len) : CODE + 7;
	put_number(&s, start, size);
	put(&s, "\x0e\x18", 2);
	end(&s, at);
	assert_table(&s, "1000:S8 1004:S16 1007:S24 1010:N0");
}

static void addresses_are_read_as_the_cie_says(void **state)
{
	assert_encoding(0x00, 8); /* absptr */
	assert_encoding(0x02, 2); /* udata2 */
	assert_encoding(0x03, 4); /* udata4 */
	assert_encoding(0x0b, 4); /* sdata4 */
	assert_encoding(0x10, 8); /* pcrel */
	assert_encoding(0x1b, 4); /* pcrel sdata4 */
	assert_encoding(0x1c, 8); /* pcrel sdata8 */
}

static void personality_and_language_data_are_stepped_over(void **state)
{
	struct section s = {0};
	size_t cie =
	    CIE(&s, 1, "zPLR", 1, 0x78, 16, 7, 0x9b, 0, 0, 0, 0, 0x0b, 0x03, 0x0c, 7, 8, 0x90, 1);

	put_fde(&s, cie, "\x00\x10\0\0\x10\0\0\0\x04\xff\xff\xff\xff", 13, "\x44\x0e\x20", 3);
	assert_table(&s, "1000:S8 1004:S32 1010:N0");
}

static void a_function_that_cannot_be_read_is_none_and_its_neighbours_stay(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s), bad;

	FDE(&s, cie, CODE, 0x10);
	FDE(&s, cie, CODE + 0x10, 0x10, 0x44, 0x0e, 16, 0x44, 0x3f); /* an unknown instruction */
	FDE(&s, cie, CODE + 0x20, 0x10, 0x44, 0x0b);		     /* nothing remembered */
	FDE(&s, cie, CODE + 0x30, 8, 0x0f, 0x20, 0x77);		     /* a block beyond the end */
	FDE(&s, cie, CODE + 0x38, 8, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
	FDE(&s, cie, CODE + 0x40, 0x10, 0x0e, 40);
	bad = CIE(&s, 1, "eh", 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1);
	FDE(&s, bad, CODE + 0x50, 0x10);
	bad = CIE(&s, 2, "", 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1);
	FDE(&s, bad, CODE + 0x60, 0x10);
	FDE(&s, bad + 4, CODE + 0x70, 0x10);
	FDE(&s, cie, CODE + 0x80, 0x10, 0x0e, 48);
	assert_table(&s, "1000:S8 1010:N0 1040:S40 1050:N0 1080:S48 1090:N0");
}

static void states_are_remembered_to_a_bound(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);
	const uint64_t head[] = {CODE, 0x10}, next[] = {CODE + 0x10, 0x10};
	uint8_t program[17];

	memset(program, 0x0a, sizeof(program));
	put_fde(&s, cie, head, sizeof(head), program, 16);
	put_fde(&s, cie, next, sizeof(next), program, 17);
	assert_table(&s, "1000:S8 1010:N0");
}

static void instructions_beyond_the_end_of_a_function_are_not_rows(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);

	FDE(&s, cie, CODE, 0x10, 0x44, 0x0e, 16, 0x4c, 0x0e, 24, 0x7f, 0x0e, 32);
	FDE(&s, cie, CODE + 0x10, 0x10, 0x50, 0x0e, 24);
	assert_table(&s, "1000:S8 1004:S16 1010:S8 1020:N0");
}

static void after_the_terminator_nothing_is_read(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);

	FDE(&s, cie, CODE, 0x10);
	put_number(&s, 0, 4);
	FDE(&s, cie, CODE + 0x10, 0x10, 0x0e, 16);
	assert_table(&s, "1000:S8 1010:N0");
	s.len -= 3; /* nor are records that end too late */
	assert_table(&s, "1000:S8 1010:N0");
}

static void code_that_32_bits_do_not_span_is_refused(void **state)
{
	struct section s = {0}, far = {0};
	size_t cie = PLAIN(&s);
	struct ehframe_table table;

	FDE(&s, cie, CODE, UINT32_MAX);
	assert_table(&s, "1000:S8 100000fff:N0");
	cie = PLAIN(&far);
	FDE(&far, cie, CODE, 0x100000000);
	assert_int_equal(compile(&far, &table), -ERANGE);
	assert_null(table.rows);
	assert_int_equal(table.count, 0);
}

static void a_section_without_functions_gives_no_table(void **state)
{
	struct section s = {0};
	struct ehframe_table table;

	assert_int_equal(compile(&s, &table), -ENOENT);
	PLAIN(&s);
	assert_int_equal(compile(&s, &table), -ENOENT);
	assert_null(ehframe_lookup(&table, CODE));
}

static void lookups_outside_of_the_table_find_no_row(void **state)
{
	struct section s = {0};
	struct ehframe_table table;
	size_t cie = PLAIN(&s);

	FDE(&s, cie, CODE, 0x10);
	assert_int_equal(compile(&s, &table), 0);
	assert_null(ehframe_lookup(&table, CODE - 1));
	assert_int_equal(ehframe_lookup(&table, CODE)->cfa, FEED_CFA_SP);
	assert_int_equal(ehframe_lookup(&table, CODE + 0x0f)->cfa, FEED_CFA_SP);
	assert_int_equal(ehframe_lookup(&table, CODE + 0x10)->cfa, FEED_CFA_NONE);
	assert_null(ehframe_lookup(&table, CODE + 0x100000000));
	ehframe_release(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(functions_are_sorted_gaps_filled_and_equal_rows_merged),
	    cmocka_unit_test(of_functions_that_overlap_the_first_keeps_its_code),
	    cmocka_unit_test(each_function_is_under_its_own_cie),
	    cmocka_unit_test(addresses_are_read_as_the_cie_says),
	    cmocka_unit_test(personality_and_language_data_are_stepped_over),
	    cmocka_unit_test(a_function_that_cannot_be_read_is_none_and_its_neighbours_stay),
	    cmocka_unit_test(states_are_remembered_to_a_bound),
	    cmocka_unit_test(instructions_beyond_the_end_of_a_function_are_not_rows),
	    cmocka_unit_test(after_the_terminator_nothing_is_read),
	    cmocka_unit_test(code_that_32_bits_do_not_span_is_refused),
	    cmocka_unit_test(a_section_without_functions_gives_no_table),
	    cmocka_unit_test(lookups_outside_of_the_table_find_no_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
