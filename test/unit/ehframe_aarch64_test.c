/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aarch64's .eh_frame to rows, and steps by them over stacks made by hand; on any machine. What
 * compilers and the C library write there is in test/cross.
 */
#include "agent/ehframe.h"
#include "shim/unwind_table.h"
#include "test/unit/ehframe_section.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define RETURN 0x5500001234
#define SIGNED(address) ((address) | 0x002d000000000000)

/* Code in units of 4, data in units of -8, return column 30, then CFA = sp, as every aarch64 CIE. */
#define PLAIN(s) CIE(s, 1, "", 4, 0x78, 30, 0x0c, 31, 0)

/* Instructions as one would write .cfi directives. */
#define ADVANCE(instructions) (0x40 + (instructions))
#define DEF_CFA_OFFSET(n) 0x0e, n
#define OFFSET(reg, words_below) (0x80 + (reg)), words_below
#define RESTORE(reg) (0xc0 + (reg))
#define NEGATE_RA_STATE 0x2d

struct machine {
	struct ehframe_table table;
	uint64_t words[128];
	struct unwind_stack stack;
	struct unwind_cursor c;
};

static void compile(struct machine *m, const struct section *s)
{
	const struct module_frames frames = {.vaddr = SECTION_VADDR,
					     .bytes = (uint8_t *)s->bytes,
					     .len = s->len,
					     .machine = EM_AARCH64};

	memset(m, 0, sizeof(*m));
	assert_int_equal(ehframe_compile(&frames, &m->table), 0);
	m->stack = (struct unwind_stack){.low = (uintptr_t)m->words, .high = (uintptr_t)(m->words + 128)};
	unwind_top = 0x7fffffffffff;
	m->c = (struct unwind_cursor){.sp = (uintptr_t)(m->words + 16),
				      .fp = 0x1111,
				      .lr = RETURN,
				      .exact = true};
}

static enum unwind_step step_at(struct machine *m, uint64_t vaddr)
{
	return unwind_aarch64_apply(&m->c, &m->stack, ehframe_lookup(&m->table, vaddr));
}

static void assert_caller(const struct machine *m, size_t sp_word, uint64_t fp)
{
	assert_int_equal(m->c.pc, RETURN);
	assert_int_equal(m->c.sp, (uintptr_t)(m->words + sp_word));
	assert_int_equal(m->c.fp, fp);
	assert_false(m->c.exact);
}

static void a_leaf_returns_to_lr(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);
	struct machine m;

	FDE(&s, cie, CODE, 0x10, 0);
	compile(&m, &s);
	assert_int_equal(step_at(&m, CODE), UNWIND_STEPPED);
	assert_caller(&m, 16, 0x1111);
	/* Who has called somebody has nothing in lr. */
	assert_int_equal(step_at(&m, CODE), UNWIND_STUCK);
	ehframe_release(&m.table);
}

/* stp x29, x30, [sp, #-32]!; ...; ldp x29, x30, [sp], #32; ret */
static void a_frame_record_is_used_from_its_push_to_its_pop(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);
	struct machine m, start;

	FDE(&s, cie, CODE, 0x20, ADVANCE(1), DEF_CFA_OFFSET(32), OFFSET(29, 4), OFFSET(30, 3),
	    ADVANCE(4), RESTORE(29), RESTORE(30), DEF_CFA_OFFSET(0));
	compile(&m, &s);
	start = m;
	m.words[16] = 0x2222;
	m.words[17] = RETURN;
	m.c.lr = 0x9999;
	m.c.exact = false;
	assert_int_equal(step_at(&m, CODE + 4), UNWIND_STEPPED);
	assert_caller(&m, 20, 0x2222);
	m.c = start.c;
	assert_int_equal(step_at(&m, CODE + 0x13), UNWIND_STEPPED);
	m.c = start.c;
	assert_int_equal(step_at(&m, CODE + 0x14), UNWIND_STEPPED);
	assert_caller(&m, 16, 0x1111);
	ehframe_release(&m.table);
}

static void the_return_address_is_found_alone_and_apart(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);
	struct machine m, start;

	FDE(&s, cie, CODE, 4, DEF_CFA_OFFSET(16), OFFSET(30, 2));
	FDE(&s, cie, CODE + 4, 4, DEF_CFA_OFFSET(64), OFFSET(30, 8), OFFSET(29, 3));
	FDE(&s, cie, CODE + 8, 4, DEF_CFA_OFFSET(16), OFFSET(29, 2));
	FDE(&s, cie, CODE + 12, 4, DEF_CFA_OFFSET(16), OFFSET(30, 0x81), 1, OFFSET(29, 1));
	compile(&m, &s);
	start = m;
	m.words[16] = RETURN;
	m.words[21] = 0x2222;
	assert_int_equal(step_at(&m, CODE), UNWIND_STEPPED);
	assert_caller(&m, 18, 0x1111);
	m.c = start.c;
	assert_int_equal(step_at(&m, CODE + 4), UNWIND_STEPPED);
	assert_caller(&m, 24, 0x2222);
	m.c = start.c;
	m.words[16] = 0x3333;
	assert_int_equal(step_at(&m, CODE + 8), UNWIND_STEPPED);
	assert_caller(&m, 18, 0x3333);
	/* 129 words apart: no row can hold it. */
	assert_int_equal(ehframe_lookup(&m.table, CODE + 12)->cfa, FEED_CFA_OTHER);
	ehframe_release(&m.table);
}

/* A function with an alloca(): mov x29, sp, and CFA by that. */
static void a_frame_of_unknown_size_is_found_by_x29(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);
	struct machine m;

	FDE(&s, cie, CODE, 0x20, ADVANCE(1), DEF_CFA_OFFSET(48), OFFSET(29, 6), OFFSET(30, 5),
	    ADVANCE(1), 0x0d, 29);
	compile(&m, &s);
	m.c.fp = (uintptr_t)(m.words + 40);
	m.c.exact = false;
	m.words[40] = 0x2222;
	m.words[41] = RETURN;
	assert_int_equal(step_at(&m, CODE + 8), UNWIND_STEPPED);
	assert_caller(&m, 46, 0x2222);
	ehframe_release(&m.table);
}

static void signatures_are_taken_off_return_addresses(void **state)
{
	struct section s = {0};
	size_t cie = CIE(&s, 1, "zRB", 4, 0x78, 30, 1, 0, 0x0c, 31, 0);
	const uint64_t head[] = {CODE, 0x10};
	struct machine m, start;
	uint8_t bytes[sizeof(head) + 1] = {0};

	memcpy(bytes, head, sizeof(head)); /* and no augmentation data */
	put_fde(&s, cie, bytes, sizeof(bytes),
		(uint8_t[]){ADVANCE(1), NEGATE_RA_STATE, ADVANCE(1), DEF_CFA_OFFSET(16), OFFSET(29, 2),
			    OFFSET(30, 1)},
		9);
	compile(&m, &s);
	start = m;
	m.words[16] = 0x2222;
	m.words[17] = SIGNED(RETURN);
	m.c.lr = SIGNED(RETURN);
	assert_int_equal(step_at(&m, CODE + 4), UNWIND_STEPPED);
	assert_caller(&m, 16, 0x1111);
	m.c = start.c;
	assert_int_equal(step_at(&m, CODE + 8), UNWIND_STEPPED);
	assert_caller(&m, 18, 0x2222);
	ehframe_release(&m.table);
}

static void x86_64_has_no_instruction_for_signatures(void **state)
{
	struct section s = {0};
	struct module_frames frames = {.vaddr = SECTION_VADDR, .bytes = s.bytes, .machine = EM_X86_64};
	size_t cie = CIE(&s, 1, "", 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1);
	struct ehframe_table table;

	FDE(&s, cie, CODE, 0x10, NEGATE_RA_STATE);
	frames.len = s.len;
	assert_int_equal(ehframe_compile(&frames, &table), 0);
	assert_int_equal(table.rows[0].cfa, FEED_CFA_NONE);
	ehframe_release(&table);
	frames.machine = EM_RISCV;
	assert_int_equal(ehframe_compile(&frames, &table), -ENOTSUP);
}

static void the_root_has_no_return_address(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);
	struct machine m;

	FDE(&s, cie, CODE, 0x10, 0x07, 30);
	FDE(&s, cie, CODE + 0x10, 0x10, DEF_CFA_OFFSET(16), OFFSET(29, 2), OFFSET(30, 1));
	compile(&m, &s);
	assert_int_equal(step_at(&m, CODE), UNWIND_ROOT);
	/* Or one of zero, but on a thread's own stack, which ends as described, that is an accident. */
	assert_int_equal(step_at(&m, CODE + 0x10), UNWIND_STUCK);
	m.stack.foreign = true;
	assert_int_equal(step_at(&m, CODE + 0x10), UNWIND_ROOT);
	ehframe_release(&m.table);
}

/* _dl_runtime_resolve: CFA = sp at its entry, and lr 8 above. */
static void a_push_that_the_description_leaves_out_is_put_in(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);
	struct machine m, start;

	FDE(&s, cie, CODE, 0x10, 0x11, 30, 0x7f, ADVANCE(1), DEF_CFA_OFFSET(32));
	compile(&m, &s);
	start = m;
	m.words[17] = m.words[21] = RETURN;
	assert_int_equal(step_at(&m, CODE), UNWIND_STEPPED);
	assert_caller(&m, 18, 0x1111);
	m.c = start.c;
	assert_int_equal(step_at(&m, CODE + 4), UNWIND_STEPPED);
	assert_caller(&m, 22, 0x1111);
	ehframe_release(&m.table);
}

static void what_no_row_can_hold_is_left_to_the_agent(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);
	struct machine m;

	FDE(&s, cie, CODE, 4, 0x0c, 16, 0);		      /* CFA by x16 */
	FDE(&s, cie, CODE + 4, 4, 0x09, 30, 9);		      /* lr in x9 */
	FDE(&s, cie, CODE + 8, 4, 0x0f, 3, 0x8f, 0, 0x06);    /* CFA = *sp */
	FDE(&s, cie, CODE + 12, 4, 0x0e, 0x80, 0x80, 0x80, 0x80, 0x20); /* beyond 32 bits */
	compile(&m, &s);
	for (unsigned int i = 0; i < 16; i += 4)
		assert_int_equal(step_at(&m, CODE + i), UNWIND_STUCK);
	assert_int_equal(m.table.rows[0].cfa, FEED_CFA_OTHER);
	assert_int_equal(m.table.count, 2);
	ehframe_release(&m.table);
}

/* struct rt_sigframe: a siginfo of 128 bytes, the ucontext, registers from its 184th byte on. */
static void lay_signal(struct machine *m, size_t word)
{
	uint64_t *regs = &m->words[word + (128 + 184) / 8];

	regs[29] = 0x2222;
	regs[30] = RETURN + 0x40;
	regs[31] = (uintptr_t)(m->words + 100);
	regs[32] = RETURN;
}

static void a_signals_frame_has_all_registers(void **state)
{
	static const struct feed_row signal = {.cfa = FEED_CFA_SIGNAL, .cfa_offset = 128};
	struct section s = {0};
	size_t cie = CIE(&s, 1, "zRS", 4, 0x78, 30, 1, 0, 0x0c, 29, 0, 0x9d, 0, 0x11, 30, 0x7f);
	const uint64_t head[] = {CODE, 8};
	uint8_t bytes[sizeof(head) + 1] = {0};
	struct machine m;

	/* As kernels before 5.8 describe it; later ones' is put in by undescribed.c. */
	memcpy(bytes, head, sizeof(head));
	put_fde(&s, cie, bytes, sizeof(bytes), "", 1); /* a nop */
	compile(&m, &s);
	assert_memory_equal(&m.table.rows[0].cfa_offset, &signal.cfa_offset,
			    sizeof(signal) - offsetof(struct feed_row, cfa_offset));
	lay_signal(&m, 16);
	m.c.exact = false;
	assert_int_equal(step_at(&m, CODE), UNWIND_STEPPED);
	assert_int_equal(m.c.pc, RETURN);
	assert_int_equal(m.c.sp, (uintptr_t)(m.words + 100));
	assert_int_equal(m.c.fp, 0x2222);
	assert_int_equal(m.c.lr, RETURN + 0x40);
	assert_true(m.c.exact);
	/* Not back down. */
	m.c.sp = (uintptr_t)(m.words + 16);
	m.words[16 + (128 + 184) / 8 + 31] = m.c.sp;
	assert_int_equal(step_at(&m, CODE), UNWIND_STUCK);
	ehframe_release(&m.table);
}

static void after_a_frame_record_sp_is_found_again(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);
	struct machine m, at_caller;

	FDE(&s, cie, CODE, 4, DEF_CFA_OFFSET(48), OFFSET(29, 6), OFFSET(30, 5));
	FDE(&s, cie, CODE + 4, 4, DEF_CFA_OFFSET(16), OFFSET(30, 2));
	compile(&m, &s);
	/* Code without tables, 4 words of locals above its record; its caller has one of 6 words. */
	m.c.fp = (uintptr_t)(m.words + 20);
	m.words[20] = (uintptr_t)(m.words + 26);
	m.words[21] = SIGNED(RETURN);
	assert_int_equal(unwind_aarch64_frame_pointer(&m.c, &m.stack), UNWIND_STEPPED);
	assert_int_equal(m.c.pc, RETURN);
	at_caller = m;
	m.words[26] = 0x2222;
	m.words[27] = RETURN;
	assert_int_equal(step_at(&m, CODE), UNWIND_STEPPED);
	assert_caller(&m, 32, 0x2222);
	assert_false(m.c.sp_unknown);
	/* A caller that keeps no record cannot be stepped over by sp. */
	m.c = at_caller.c;
	assert_int_equal(step_at(&m, CODE + 4), UNWIND_STUCK);
	ehframe_release(&m.table);
}

static void steps_never_leave_the_stack(void **state)
{
	struct section s = {0};
	size_t cie = PLAIN(&s);
	struct machine m, start;

	FDE(&s, cie, CODE, 4, 0x0e, 0x80, 0x80, 0x04, OFFSET(30, 1));
	FDE(&s, cie, CODE + 4, 4, DEF_CFA_OFFSET(12), OFFSET(30, 1));
	FDE(&s, cie, CODE + 8, 4, 0x13, 1, OFFSET(30, 1)); /* CFA 8 below sp */
	compile(&m, &s);
	start = m;
	for (unsigned int i = 0; i < 12; i += 4) {
		m.c = start.c;
		assert_int_equal(step_at(&m, CODE + i), UNWIND_STUCK);
	}
	m.c.fp = (uintptr_t)(m.words + 127);
	assert_int_equal(unwind_aarch64_frame_pointer(&m.c, &m.stack), UNWIND_STUCK);
	m.c.fp = (uintptr_t)m.words;
	assert_int_equal(unwind_aarch64_frame_pointer(&m.c, &m.stack), UNWIND_STUCK);
	ehframe_release(&m.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_leaf_returns_to_lr),
	    cmocka_unit_test(a_frame_record_is_used_from_its_push_to_its_pop),
	    cmocka_unit_test(the_return_address_is_found_alone_and_apart),
	    cmocka_unit_test(a_frame_of_unknown_size_is_found_by_x29),
	    cmocka_unit_test(signatures_are_taken_off_return_addresses),
	    cmocka_unit_test(x86_64_has_no_instruction_for_signatures),
	    cmocka_unit_test(the_root_has_no_return_address),
	    cmocka_unit_test(a_push_that_the_description_leaves_out_is_put_in),
	    cmocka_unit_test(what_no_row_can_hold_is_left_to_the_agent),
	    cmocka_unit_test(a_signals_frame_has_all_registers),
	    cmocka_unit_test(after_a_frame_record_sp_is_found_again),
	    cmocka_unit_test(steps_never_leave_the_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
