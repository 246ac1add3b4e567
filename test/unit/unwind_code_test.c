/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether code without a description has its frame: instructions as V8 and GCC write them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "shim/unwind_code.h"

#define NOP 0x90

/* Code with before right before pc, and after from there on. */
static enum unwind_frame frame_at(const char *before, size_t before_size, const char *after,
				  size_t after_size)
{
	uint8_t code[UNWIND_CODE_BEFORE + UNWIND_CODE_AFTER];

	memset(code, NOP, sizeof(code));
	memcpy(code + UNWIND_CODE_BEFORE - before_size, before, before_size);
	memcpy(code + UNWIND_CODE_BEFORE, after, after_size);
	return unwind_code_frame(code);
}

#define FRAME_AT(before, after) frame_at(before, sizeof(before) - 1, after, sizeof(after) - 1)

static void before_the_push_there_is_no_frame(void **state)
{
	assert_int_equal(FRAME_AT("", "\x55\x48\x89\xe5"), UNWIND_FRAME_NONE);
	assert_int_equal(FRAME_AT("", "\x55\x48\x8b\xec"), UNWIND_FRAME_NONE);
	/* mov ebx, [rcx-0x30]; test byte [rbx+0x1f], 1; jnz: V8 asks first whether the code still holds. */
	assert_int_equal(FRAME_AT("", "\x8b\x59\xd0\xf6\x43\x1f\x01\x0f\x85\x10\x20\x30\x40\x55\x48\x8b\xec"),
			 UNWIND_FRAME_NONE);
}

static void between_push_and_move_the_frame_pointer_is_the_callers(void **state)
{
	assert_int_equal(FRAME_AT("\x55", "\x48\x89\xe5"), UNWIND_FRAME_PUSHED);
	assert_int_equal(FRAME_AT("\x55", "\x48\x8b\xec\x56\x57"), UNWIND_FRAME_PUSHED);
}

static void after_the_pop_there_is_no_frame(void **state)
{
	assert_int_equal(FRAME_AT("\x5d", "\xc3"), UNWIND_FRAME_NONE);
	assert_int_equal(FRAME_AT("\xc9", "\xc3"), UNWIND_FRAME_NONE);
	/* pop rbp; cmp rcx, 1; jg +3; ret 0x10 */
	assert_int_equal(FRAME_AT("\x5d", "\x48\x83\xf9\x01\x7f\x03\xc2\x10\x00"), UNWIND_FRAME_NONE);
	assert_int_equal(FRAME_AT("\x5d\x48\x83\xf9\x01", "\x7f\x03\xc2\x10\x00"), UNWIND_FRAME_NONE);
}

static void in_the_body_there_is_one(void **state)
{
	assert_int_equal(FRAME_AT("\x55\x48\x89\xe5", "\x48\x83\xec\x10"), UNWIND_FRAME_UP);
	assert_int_equal(FRAME_AT("", "\x48\x89\xd8\x5d\xc3"), UNWIND_FRAME_UP);
	/* What comes behind the filling is another function's. */
	assert_int_equal(FRAME_AT("", "\xe9\x01\x02\x03\x04\xcc\xcc\xcc\x55\x48\x89\xe5"), UNWIND_FRAME_UP);
}

static bool is_call(const char *bytes, size_t size)
{
	uint8_t before[UNWIND_CALL_MAX];

	memset(before, NOP, sizeof(before));
	memcpy(before + sizeof(before) - size, bytes, size);
	return unwind_code_is_call(before);
}

#define IS_CALL(bytes) is_call(bytes, sizeof(bytes) - 1)

static void a_return_address_follows_a_call(void **state)
{
	assert_true(IS_CALL("\xe8\x10\x20\x30\x40"));		  /* call rel32 */
	assert_true(IS_CALL("\xff\xd0"));			  /* call rax */
	assert_true(IS_CALL("\x41\xff\xd2"));			  /* call r10 */
	assert_true(IS_CALL("\xff\x50\x18"));			  /* call [rax+0x18] */
	assert_true(IS_CALL("\x41\xff\x95\x10\x20\x00\x00"));	  /* call [r13+0x2010] */
	assert_true(IS_CALL("\xff\x15\x10\x20\x30\x00"));	  /* call [rip+...] */
	assert_true(IS_CALL("\x42\xff\x94\xe0\x10\x20\x00\x00")); /* call [rax+r12*8+0x2010] */
	assert_false(IS_CALL("\xe9\x10\x20\x30\x40"));		  /* jmp rel32 */
	assert_false(IS_CALL("\xff\xe0"));			  /* jmp rax */
	assert_false(IS_CALL("\x48\x89\xe5"));
}

static void code_that_cannot_be_read_is_not(void **state)
{
	uint8_t *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t words[UNWIND_CODE_WORDS(64)];
	const uint8_t *code;

	assert_ptr_not_equal(pages, MAP_FAILED);
	for (int i = 0; i < 8192; i++)
		pages[i] = (uint8_t)i;
	for (int at = 4056; at < 4072; at++) {
		code = unwind_code_read(words, (uintptr_t)pages + (uintptr_t)at, 64);
		assert_non_null(code);
		assert_memory_equal(code, pages + at, 64);
	}
	mprotect(pages + 4096, 4096, PROT_NONE);
	assert_null(unwind_code_read(words, (uintptr_t)pages + 4064, 64));
	assert_non_null(unwind_code_read(words, (uintptr_t)pages + 4032, 64));
	assert_non_null(unwind_code_read(words, (uintptr_t)pages + 4095, 1));
	munmap(pages, 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_the_push_there_is_no_frame),
		cmocka_unit_test(between_push_and_move_the_frame_pointer_is_the_callers),
		cmocka_unit_test(after_the_pop_there_is_no_frame),
		cmocka_unit_test(in_the_body_there_is_one),
		cmocka_unit_test(a_return_address_follows_a_call),
		cmocka_unit_test(code_that_cannot_be_read_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
