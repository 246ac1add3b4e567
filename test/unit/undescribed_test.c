/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/undescribed.c, agent/ehframe_insert.c and agent/symbol_plt_aarch64.c over objects made by hand.
 */
#include "agent/symbol_plt.h"
#include "agent/undescribed.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PLT 0x1c20

/* As ld writes it: the header, then a stub for the slot at 0x20f20. */
static const uint32_t plt[] = {
    0xa9bf7bf0, /* stp x16, x30, [sp, #-16]! */
    0xf00000f0, /* adrp x16, 20000 */
    0xf947a211, /* ldr x17, [x16, #3904] */
    0x913d0210, /* add x16, x16, #0xf40 */
    0xd61f0220, /* br x17 */
    0xd503201f, 0xd503201f, 0xd503201f,
    0xf00000f0, /* adrp x16, 20000 */
    0xf9479211, /* ldr x17, [x16, #3872] */
    0x913c8210, /* add x16, x16, #0xf20 */
    0xd61f0220, /* br x17 */
};

/* The same stub of a program with landing pads. */
static const uint32_t padded[] = {0xd503245f, 0xf00000f0, 0xf9479211,
				  0x913c8210, 0xd61f0220, 0xd503201f};

/* What is left of a vdso: a function, and what handlers return to, behind its nop. */
static const uint32_t vdso[] = {0xd65f03c0, 0xd503201f, 0xd2801168, 0xd4000001};

struct object {
	struct elf_file_segment segment;
	struct elf_file_section section;
	struct module m;
};

static void make(struct object *o, const char *section, const void *code, size_t n)
{
	*o = (struct object){
	    .segment = {.type = PT_LOAD, .flags = PF_X, .vaddr = PLT, .filesz = n, .memsz = n},
	    .section = {.name = section, .type = SHT_PROGBITS, .addr = PLT, .size = n}};
	o->m.name = section;
	o->m.text_vaddr = PLT;
	o->m.text_size = n;
	o->m.elf = (struct elf_file){.fd = -1,
				     .image = code,
				     .size = n,
				     .machine = EM_AARCH64,
				     .segments = &o->segment,
				     .nsegments = 1,
				     .sections = &o->section,
				     .nsections = 1};
}

/* "offset:kind+cfa", offsets from PLT. */
static void assert_rows(const struct ehframe_table *t, const char *expected)
{
	static const char kinds[] = "NRSFDdPGO";
	char text[512] = "";
	size_t n = 0;

	for (size_t i = 0; i < t->count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%lx:%c%d%s", i ? " " : "",
				      (unsigned long)(t->base + t->rows[i].start - PLT),
				      kinds[t->rows[i].cfa], t->rows[i].cfa_offset,
				      t->rows[i].fp == FEED_FP_LR ? "l" : "");
	assert_string_equal(text, expected);
}

static void stubs_are_leaves_and_their_header_has_pushed_lr(void **state)
{
	struct ehframe_table table = {0};
	struct object o;

	make(&o, ".plt", plt, sizeof(plt));
	undescribed_add(&o.m, &table);
	assert_rows(&table, "0:S0 4:S16l 20:S0 30:N0");
	ehframe_release(&table);
	o.m.elf.machine = EM_X86_64;
	undescribed_add(&o.m, &table);
	assert_int_equal(table.count, 0);
}

static void what_handlers_return_to_is_found_in_the_vdso_alone(void **state)
{
	struct ehframe_table table = {0};
	struct object o;

	make(&o, "[vdso]", vdso, sizeof(vdso));
	undescribed_add(&o.m, &table);
	/* From one byte before the return address on, where it is looked up. */
	assert_rows(&table, "0:N0 4:G128 10:N0");
	ehframe_release(&table);
	make(&o, "libc.so.6", vdso, sizeof(vdso));
	undescribed_add(&o.m, &table);
	assert_int_equal(table.count, 0);
}

static void rows_are_put_only_where_there_is_nothing(void **state)
{
	static const struct feed_row row = {.cfa = FEED_CFA_SP, .cfa_offset = 8};
	static const struct feed_row other = {.cfa = FEED_CFA_SP, .cfa_offset = 16};
	struct ehframe_table t = {0};

	assert_int_equal(ehframe_insert(&t, PLT + 0x20, PLT + 0x30, row), 0);
	assert_rows(&t, "20:S8 30:N0");
	assert_int_equal(ehframe_insert(&t, PLT + 0x28, PLT + 0x38, other), -EEXIST);
	assert_int_equal(ehframe_insert(&t, PLT + 0x10, PLT + 0x28, other), -EEXIST);
	assert_int_equal(ehframe_insert(&t, PLT + 0x40, PLT + 0x40, other), -EINVAL);
	assert_int_equal(ehframe_insert(&t, PLT + 0x40, PLT + 0x50, other), 0);
	assert_rows(&t, "20:S8 30:N0 40:S16 50:N0");
	assert_int_equal(ehframe_insert(&t, PLT + 0x38, PLT + 0x48, row), -EEXIST);
	assert_int_equal(ehframe_insert(&t, PLT + 0x30, PLT + 0x40, other), 0);
	assert_rows(&t, "20:S8 30:S16 40:S16 50:N0");
	assert_int_equal(ehframe_insert(&t, PLT, PLT + 8, other), 0);
	assert_int_equal(ehframe_insert(&t, PLT + 0x18, PLT + 0x20, other), 0);
	assert_rows(&t, "0:S16 8:N0 18:S16 20:S8 30:S16 40:S16 50:N0");
	assert_int_equal(ehframe_insert(&t, PLT - 0x10, PLT, row), 0);
	assert_int_equal(t.base, PLT - 0x10);
	assert_int_equal(ehframe_lookup(&t, PLT + 0x45)->cfa_offset, 16);
	assert_int_equal(ehframe_insert(&t, PLT + 0x60, PLT + (1ULL << 32), row), -ERANGE);
	assert_int_equal(t.count, 8);
	ehframe_release(&t);
}

static void a_stub_leads_to_its_slot_from_any_of_its_instructions(void **state)
{
	struct object o;
	uint64_t slot;

	make(&o, ".plt", plt, sizeof(plt));
	for (uint64_t at = 0x20; at < 0x30; at++) {
		assert_int_equal(symbol_plt_aarch64_slot(&o.m.elf, &o.section, PLT + at, &slot), 0);
		assert_int_equal(slot, 0x20f20);
	}
	assert_int_equal(symbol_plt_aarch64_slot(&o.m.elf, &o.section, PLT, &slot), -ENOENT);
	make(&o, ".plt", padded, sizeof(padded));
	for (uint64_t at = 0; at < sizeof(padded); at++) {
		assert_int_equal(symbol_plt_aarch64_slot(&o.m.elf, &o.section, PLT + at, &slot), 0);
		assert_int_equal(slot, 0x20f20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stubs_are_leaves_and_their_header_has_pushed_lr),
	    cmocka_unit_test(what_handlers_return_to_is_found_in_the_vdso_alone),
	    cmocka_unit_test(rows_are_put_only_where_there_is_nothing),
	    cmocka_unit_test(a_stub_leads_to_its_slot_from_any_of_its_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
