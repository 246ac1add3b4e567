/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/unwind_stack.c, and steps from one stack to another, over two stacks between pages that are not
 * to be read; and the ends of stacks that were made by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "shim/unwind_stack.h"
#include "shim/unwind_table.h"

#define PAGE 4096UL
#define WORDS (PAGE / sizeof(uintptr_t))

/* Pages: own stack 1 and 2, another 4; 0, 3 and 5 are not there. */
static uint8_t *pages;
static uintptr_t *own, *other;
static uintptr_t own_low, own_high, other_low, other_high;

static int setup(void **state)
{
	pages = mmap(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return -1;
	munmap(pages, PAGE);
	munmap(pages + 3 * PAGE, PAGE);
	munmap(pages + 5 * PAGE, PAGE);
	own_low = (uintptr_t)pages + PAGE;
	own_high = own_low + 2 * PAGE;
	other_low = (uintptr_t)pages + 4 * PAGE;
	other_high = other_low + PAGE;
	own = (uintptr_t *)own_low;
	other = (uintptr_t *)other_low;
	return 0;
}

static int teardown(void **state)
{
	munmap(pages, 6 * PAGE);
	return 0;
}

static struct unwind_stack on(uintptr_t address)
{
	struct unwind_stack s;

	unwind_stack_init(&s, own_low, own_high, address);
	return s;
}

static void the_own_stack_is_read_between_its_bounds(void **state)
{
	struct unwind_stack s = on(own_low + 64);
	uintptr_t v;

	own[8] = 1;
	own[2 * WORDS - 1] = 2;
	assert_false(s.foreign || s.crossed);
	assert_true(unwind_stack_load(&s, own_low + 64, &v) && v == 1);
	assert_true(unwind_stack_load(&s, own_high - 8, &v) && v == 2);
	assert_false(unwind_stack_load(&s, own_low + 56, &v));
	assert_false(unwind_stack_load(&s, own_low + 65, &v));
	assert_false(unwind_stack_load(&s, own_high, &v));
	assert_false(unwind_stack_load(&s, other_low, &v));
}

static void a_foreign_stack_is_read_as_far_as_it_is_there(void **state)
{
	struct unwind_stack s = on(other_low + 128);
	uintptr_t v;

	for (size_t i = 0; i < WORDS; i++)
		other[i] = i;
	assert_true(s.foreign);
	assert_false(s.crossed);
	for (size_t i = 16; i < WORDS; i++)
		assert_true(unwind_stack_load(&s, other_low + i * 8, &v) && v == i);
	assert_false(unwind_stack_load(&s, other_high, &v));
	assert_false(unwind_stack_load(&s, other_low + 120, &v));
	/* What failed is not remembered, and neither is what went. */
	assert_true(unwind_stack_load(&s, other_high - 8, &v) && v == WORDS - 1);
	munmap(other, PAGE);
	assert_false(unwind_stack_load(&s, other_low + 256, &v));
}

static void a_walk_may_cross_to_the_own_stack_and_to_another(void **state)
{
	struct unwind_stack s = on(other_low + 64), stays = {.low = own_low, .high = own_high};
	uintptr_t v;

	own[8] = 7;
	other[8] = 9;
	assert_false(unwind_stack_cross(&s, other_low + 128));
	assert_true(unwind_stack_cross(&s, own_low + 64));
	assert_true(s.crossed && !s.foreign);
	assert_true(unwind_stack_load(&s, own_low + 64, &v) && v == 7);
	assert_false(unwind_stack_load(&s, other_low + 64, &v));
	assert_true(unwind_stack_cross(&s, other_low + 64));
	assert_true(s.foreign);
	assert_true(unwind_stack_load(&s, other_low + 64, &v) && v == 9);
	/* Whatever address: no fault. */
	assert_false(unwind_stack_cross(&s, 8));
	assert_false(unwind_stack_cross(&s, UINTPTR_MAX - 64));
	assert_true(unwind_stack_cross(&s, (uintptr_t)pages));
	assert_false(unwind_stack_load(&s, (uintptr_t)pages, &v));
	assert_false(unwind_stack_cross(&stays, other_low));
}

static void a_frame_pointer_leads_to_another_stack_and_a_stack_pointer_does_not(void **state)
{
	struct unwind_stack s = on(other_low + 64);
	struct feed_row linked = {.cfa = FEED_CFA_FP, .cfa_offset = 16, .fp = FEED_FP_SAVED,
				  .fp_offset = -2};
	struct feed_row far = {.cfa = FEED_CFA_SP, .cfa_offset = -(int32_t)(2 * PAGE), .fp = FEED_FP_SAME};
	struct unwind_cursor c = {.pc = 1, .sp = other_low + 64, .fp = own_low + 800, .exact = true};

	own[100] = 4711;
	own[101] = 0x1234;
	own[102] = 0x5678;
	assert_int_equal(unwind_apply(&c, &s, &far), UNWIND_STUCK);
	assert_int_equal(unwind_apply(&c, &s, &linked), UNWIND_STEPPED);
	assert_true(c.pc == 0x1234 && c.fp == 4711 && c.sp == own_low + 816 && !c.exact);
	/* On the stack it is on, it leads upwards only. */
	c.fp = own_low + 808;
	assert_int_equal(unwind_apply(&c, &s, &linked), UNWIND_STEPPED);
	c.fp = own_low + 808;
	assert_int_equal(unwind_apply(&c, &s, &linked), UNWIND_STUCK);
	c.fp = 0x1000;
	assert_int_equal(unwind_apply(&c, &s, &linked), UNWIND_STUCK);
}

static void a_signal_frame_on_one_stack_leads_to_the_other(void **state)
{
	struct unwind_stack s = on(other_low);
	struct feed_row signal = {.cfa = FEED_CFA_SIGNAL, .cfa_offset = 0};
	ucontext_t *uc = (ucontext_t *)(other_low + 64);
	struct unwind_cursor c = {.pc = 1, .sp = other_low + 64};
	uintptr_t v;

	memset(uc, 0, sizeof(*uc));
	uc->uc_mcontext.gregs[REG_RIP] = 0x4321;
	uc->uc_mcontext.gregs[REG_RSP] = (greg_t)(own_low + 512);
	uc->uc_mcontext.gregs[REG_RBP] = 77;
	assert_int_equal(unwind_apply(&c, &s, &signal), UNWIND_STEPPED);
	assert_true(c.pc == 0x4321 && c.sp == own_low + 512 && c.fp == 77 && c.exact);
	assert_true(s.crossed && !s.foreign);
	/* With what lies below the stack pointer. */
	assert_true(unwind_stack_load(&s, own_low + 512 - 128, &v));
}

/* The kernel maps top down, so an alternate stack may lie right below the thread's own; as far above it
 * as a foreign one may reach, that one goes on. */
static void a_signal_frame_right_below_the_own_stack_leads_to_it(void **state)
{
	size_t size = UNWIND_FOREIGN_MAX + 4 * PAGE;
	uint8_t *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t alternate = (uintptr_t)area + PAGE, high = (uintptr_t)area + size, v;
	uintptr_t sp = alternate + UNWIND_FOREIGN_MAX - 64;
	ucontext_t *uc = (ucontext_t *)(alternate + 64);
	struct feed_row signal = {.cfa = FEED_CFA_SIGNAL, .cfa_offset = 0};
	struct unwind_cursor c = {.pc = 1, .sp = alternate + 64};
	struct unwind_stack s;

	assert_ptr_not_equal(area, MAP_FAILED);
	uc->uc_mcontext.gregs[REG_RSP] = (greg_t)sp;
	unwind_stack_init(&s, (uintptr_t)area + 2 * PAGE, high, alternate);
	assert_true(s.foreign && s.high == (uintptr_t)area + 2 * PAGE);
	assert_int_equal(unwind_apply(&c, &s, &signal), UNWIND_STEPPED);
	assert_true(c.sp == sp && s.crossed && !s.foreign && s.high == high);
	assert_true(unwind_stack_load(&s, sp - 128, &v));
	/* What lies above may be one more foreign stack, and no smaller. */
	c = (struct unwind_cursor){.pc = 1, .sp = alternate + 64};
	unwind_stack_init(&s, own_low, own_high, alternate);
	assert_int_equal(unwind_apply(&c, &s, &signal), UNWIND_STEPPED);
	assert_true(s.foreign && unwind_stack_load(&s, high - 8, &v));
	munmap(area, size);
}

/* Tables of one object: described from 0x100 to 0x200 and from 0x240 on, nothing between. */
static struct {
	uint64_t nothing; /* a snapshot is at a multiple of 8 that is not 0 */
	struct feed_snapshot snapshot;
	struct feed_mapping mapping;
	struct feed_row rows[4];
	uint32_t index[4];
} area = {
	.snapshot = {.count = 1},
	.mapping = {.start = 0x10000, .end = 0x10240 + 0x100, .base = 0x10100, .row_count = 4},
	.rows = {{.start = 0, .cfa = FEED_CFA_SP, .cfa_offset = 16},
		 {.start = 0x100, .cfa = FEED_CFA_NONE},
		 {.start = 0x140, .cfa = FEED_CFA_SP, .cfa_offset = 8},
		 {.start = 0x200, .cfa = FEED_CFA_NONE}},
	.index = {0, 1, 3, 3},
};

static size_t walk(uintptr_t *words, uintptr_t return_address, uint64_t *frames, bool *complete)
{
	struct unwind_stack s = on((uintptr_t)&words[8]);
	struct unwind_cursor c = {.pc = 0x10110, .sp = (uintptr_t)&words[8], .exact = true};
	struct unwind_tables t = {.base = (uint8_t *)&area, .size = sizeof(area), .snapshot = 8};

	area.mapping.rows_offset = (uint32_t)((uint8_t *)area.rows - t.base);
	words[9] = return_address;
	words[10] = 0;
	return unwind_frames(c, &s, &t, frames, 8, complete);
}

static void a_return_to_the_first_byte_of_a_function_is_the_end_of_another_stack(void **state)
{
	uint64_t frames[8];
	bool complete;

	assert_int_equal(walk(other, 0x10240, frames, &complete), 2);
	assert_true(complete);
	assert_true(frames[1] == (0x10240 | FEED_FRAME_EXACT));
	/* On the thread's own it is a function pointer that lies about. */
	walk(own, 0x10240, frames, &complete);
	assert_false(complete);
	/* Right behind a function that ends in a call: that one's. */
	assert_int_equal(walk(other, 0x10200, frames, &complete), 2);
	assert_true(frames[1] == 0x10200);
	/* Nor does it hold for code that nobody describes. */
	walk(other, 0x10220, frames, &complete);
	assert_false(complete);
	/* What handlers return to is no end, whatever lies before it. */
	area.rows[2].cfa = FEED_CFA_SIGNAL;
	walk(other, 0x10240, frames, &complete);
	assert_false(complete);
	area.rows[2].cfa = FEED_CFA_SP;
}

static void a_null_above_is_the_end_of_another_stack_but_not_of_the_own(void **state)
{
	uint64_t frames[8];
	bool complete;

	assert_int_equal(walk(other, 0x10241, frames, &complete), 2);
	assert_true(complete);
	assert_true(frames[1] == 0x10241);
	assert_int_equal(walk(own, 0x10241, frames, &complete), 2);
	assert_false(complete);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_own_stack_is_read_between_its_bounds),
		TEST(a_foreign_stack_is_read_as_far_as_it_is_there),
		TEST(a_walk_may_cross_to_the_own_stack_and_to_another),
		TEST(a_frame_pointer_leads_to_another_stack_and_a_stack_pointer_does_not),
		TEST(a_signal_frame_on_one_stack_leads_to_the_other),
		TEST(a_signal_frame_right_below_the_own_stack_leads_to_it),
		TEST(a_return_to_the_first_byte_of_a_function_is_the_end_of_another_stack),
		TEST(a_null_above_is_the_end_of_another_stack_but_not_of_the_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
