/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/cfa_program.c: what compilers emit passes, and each instruction that can hurt an
 * interpreter does not.
 */
#include "agent/cfa_program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PCREL_SDATA4 0x1b

#define SAFE(...)                                                                                  \
	({                                                                                         \
		const uint8_t bytes_[] = {__VA_ARGS__};                                            \
		cfa_program_safe(bytes_, bytes_ + sizeof(bytes_), PCREL_SDATA4, 17, 2);            \
	})

static void what_compilers_emit_is_accepted(void **state)
{
	assert_true(SAFE(0x0c, 7, 8, 0x90, 1, 0, 0));		   /* every x86-64 CIE */
	assert_true(SAFE(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6)); /* push rbp; mov rsp,rbp */
	assert_true(SAFE(0x0a, 0xc6, 0x0c, 7, 8, 0x0b));	   /* epilogue in the middle */
	assert_true(SAFE(0x07, 16));				   /* _start */
	assert_true(SAFE(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22));
	assert_true(SAFE(0x0f, 4, 0x77, 0xa0, 0x01, 0x06, 0x10, 8, 2, 0x77, 0x28)); /* sigreturn */
	assert_true(SAFE(0x09, 16, 5));	     /* vfork: rip in rdi */
	assert_true(SAFE(0x01, 1, 2, 3, 4)); /* set_loc */
}

static void registers_out_of_range_are_refused(void **state)
{
	assert_false(SAFE(0x09, 16, 17));
	assert_false(SAFE(0x09, 16, 0xff, 0xff, 0x7f));
	assert_false(SAFE(0x91, 1));
	assert_false(SAFE(0xd1));
	assert_false(SAFE(0x0c, 17, 8));
	assert_false(SAFE(0x0f, 2, 0x81, 0)); /* breg17 */
}

static void expressions_that_trap_or_loop_are_refused(void **state)
{
	assert_false(SAFE(0x0f, 3, 0x31, 0x31, 0x1b));	  /* div */
	assert_false(SAFE(0x0f, 3, 0x31, 0x31, 0x1d));	  /* mod */
	assert_false(SAFE(0x0f, 3, 0x2f, 0xfd, 0xff));	  /* skip to itself */
	assert_false(SAFE(0x10, 6, 4, 0x31, 0x28, 0, 0)); /* bra */
}

static void truncated_instructions_are_refused(void **state)
{
	assert_false(SAFE(0x0c, 7));
	assert_false(SAFE(0x04, 1, 2, 3));
	assert_false(SAFE(0x0e, 0x80));
	assert_false(SAFE(0x0f, 3, 0x30));
	assert_false(SAFE(0x0e, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0));
}

static void remembered_states_are_bounded_and_balanced(void **state)
{
	assert_true(SAFE(0x0a, 0x0a, 0x0b, 0x0a, 0x0b, 0x0b));
	assert_false(SAFE(0x0a, 0x0a, 0x0a));
	assert_false(SAFE(0x0b));
}

static void unknown_instructions_are_refused(void **state)
{
	assert_false(SAFE(0x1d, 0, 0, 0, 0, 0, 0, 0, 0)); /* MIPS */
	assert_false(SAFE(0x2d)); /* SPARC, or aarch64's signed return address */
	assert_false(SAFE(0x3f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_compilers_emit_is_accepted),
	    cmocka_unit_test(registers_out_of_range_are_refused),
	    cmocka_unit_test(expressions_that_trap_or_loop_are_refused),
	    cmocka_unit_test(truncated_instructions_are_refused),
	    cmocka_unit_test(remembered_states_are_bounded_and_balanced),
	    cmocka_unit_test(unknown_instructions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
