/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/ehframe.c over call-frame directives that the assembler made into this program's own
 * .eh_frame, one byte of code a rule. Whole libraries are compared in ehframe_readelf_test.c, and
 * sections that no assembler makes are in ehframe_bytes_test.c.
 */
#include "agent/ehframe.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define CODE(name, ...)                                                                            \
	extern const char name[];                                                                  \
	__asm__(".text\n" #name ":\n.cfi_startproc\n" __VA_ARGS__ "nop\n.cfi_endproc\n")

CODE(eh_nested, "nop\n"
		".cfi_def_cfa_offset 16\n.cfi_offset rbp, -16\nnop\n"
		".cfi_def_cfa_register rbp\nnop\n"
		".cfi_remember_state\n.cfi_def_cfa rsp, 24\nnop\n"
		".cfi_remember_state\n.cfi_restore rbp\n.cfi_def_cfa_offset 8\nnop\n"
		".cfi_restore_state\n.cfi_escape 0x2e, 0x10\nnop\n"
		".cfi_restore_state\n");
CODE(eh_root, ".cfi_undefined rip\n");
CODE(eh_plt, ".cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22\n"
	     "nop\n"
	     /* the slots of an IBT .plt push elsewhere: lit9 */
	     ".cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x39, 0x2a, 0x33, 0x24, 0x22\n");
/* As GCC realigns: r10 is the CFA, then it is pushed below rbp; at the end, the other way round. */
CODE(eh_realigned, ".cfi_def_cfa r10, 0\nnop\n"
		   ".cfi_escape 0x10, 6, 2, 0x76, 0\nnop\n"
		   ".cfi_escape 0x0f, 3, 0x76, 0x58, 0x06\nnop\n"
		   ".cfi_def_cfa r10, 0\nnop\n"
		   ".cfi_def_cfa rsp, 8\n");
CODE(eh_sp_deref, ".cfi_escape 0x0f, 6, 0x77, 0x80, 1, 0x06, 0x23, 8\nnop\n"
		  ".cfi_escape 0x0f, 4, 0x77, 0x80, 1, 0x06\nnop\n" /* without the return address */
		  /* breg7 16 is no more than rsp + 16; an offset defined after it replaces it */
		  ".cfi_escape 0x0f, 2, 0x77, 16\nnop\n"
		  ".cfi_def_cfa_offset 32\nnop\n"
		  /* a deref and more */
		  ".cfi_escape 0x0f, 4, 0x77, 0, 0x06, 0x06\n");
CODE(eh_returns,
     ".cfi_register rip, rdi\nnop\n"
     ".cfi_offset rip, -16\nnop\n"
     ".cfi_escape 0x10, 16, 2, 0x77, 0\nnop\n" /* at rsp + 0: CFA - 8, said differently */
     ".cfi_offset rsp, -16\n");		       /* and the caller's rsp is not the CFA */
CODE(eh_saved, ".cfi_def_cfa_offset 32\n.cfi_escape 0x10, 6, 2, 0x77, 8\nnop\n"
	       ".cfi_escape 0x10, 6, 2, 0x77, 4\nnop\n"	   /* not a word's place */
	       ".cfi_register rbp, rax\nnop\n"		   /* in a register */
	       ".cfi_escape 0x16, 6, 2, 0x77, 8\nnop\n"	   /* a value */
	       ".cfi_escape 0x11, 6, 0x80, 0x80, 2\nnop\n" /* -32768 words */
	       ".cfi_escape 0x11, 6, 0x81, 0x80, 2\nnop\n" /* and one too many */
	       ".cfi_undefined rbp\nnop\n"
	       ".cfi_same_value rbp\n.cfi_def_cfa rsp, 0x7fffffff\nnop\n"
	       ".cfi_escape 0x0e, 0x80, 0x80, 0x80, 0x80, 8\n"); /* 2^31 */

/* A ucontext at sp + 64, and one whose rip is elsewhere. */
#define CONTEXT(rip)                                                                               \
	".cfi_signal_frame\n"                                                                      \
	".cfi_escape 0x0f, 4, 0x77, 0xe0, 1, 0x06\n"                                               \
	".cfi_escape 0x10, 6, 3, 0x77, 0xb8, 1\n"                                                  \
	".cfi_escape 0x10, 7, 3, 0x77, 0xe0, 1\n"                                                  \
	".cfi_escape 0x10, 16, 3, 0x77, " rip ", 1\n"
CODE(eh_signal, CONTEXT("0xe8"));
CODE(eh_no_signal, CONTEXT("0xf0"));
CODE(eh_plain_signal, ".cfi_signal_frame\n");

static struct {
	struct modules *modules;
	struct maps maps;
	struct ehframe_table table;
} t;

static uint64_t vaddr_of(const char *code)
{
	const struct maps_entry *e = maps_find(&t.maps, (uintptr_t)code);

	assert_non_null(e);
	return module_vaddr(module_get(t.modules, e, getpid()), e, (uintptr_t)code);
}

static int setup(void **state)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	const struct maps_entry *e;

	maps_init(&t.maps);
	assert_int_equal(maps_read_fd(&t.maps, fd), 0);
	close(fd);
	t.modules = modules_new();
	e = maps_find(&t.maps, (uintptr_t)eh_nested);
	return ehframe_compile(module_frames(module_get(t.modules, e, getpid())), &t.table);
}

static int teardown(void **state)
{
	ehframe_release(&t.table);
	modules_free(t.modules);
	maps_release(&t.maps);
	return 0;
}

/* The rule of each byte of code, as its row without a start. */
static void assert_rows(const char *code, const struct feed_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct feed_row *row = ehframe_lookup(&t.table, vaddr_of(code + i));

		assert_non_null(row);
		assert_int_equal(row->cfa, rows[i].cfa);
		assert_int_equal(row->cfa_offset, rows[i].cfa_offset);
		assert_int_equal(row->fp, rows[i].fp);
		assert_int_equal(row->fp_offset, rows[i].fp_offset);
	}
}

#define ROWS(code, ...)                                                                            \
	do {                                                                                       \
		static const struct feed_row rows_[] = {__VA_ARGS__};                              \
		assert_rows(code, rows_, sizeof(rows_) / sizeof(*rows_));                          \
	} while (0)
#define ROW(kind, offset, ...)                                                                     \
	{                                                                                          \
		.cfa = FEED_CFA_##kind, .cfa_offset = offset, __VA_ARGS__                          \
	}
#define SAVED(words) .fp = FEED_FP_SAVED, .fp_offset = words
#define OTHER ROW(OTHER, 0)

static void remembered_states_nest_and_bring_the_cfa_back(void **state)
{
	ROWS(eh_nested, ROW(SP, 8), ROW(SP, 16, SAVED(-2)), ROW(FP, 16, SAVED(-2)),
	     ROW(SP, 24, SAVED(-2)), ROW(SP, 8), ROW(SP, 24, SAVED(-2)), ROW(FP, 16, SAVED(-2)));
}

static void no_return_address_is_the_root(void **state)
{
	ROWS(eh_root, ROW(ROOT, 0));
}

static void only_the_plt_whose_slots_handlers_know_is_one(void **state)
{
	ROWS(eh_plt, ROW(PLT, 8), OTHER);
}

static void realigned_frames_are_found_through_the_frame_pointer(void **state)
{
	ROWS(eh_realigned, OTHER, OTHER, ROW(FP_DEREF, -40, .fp = FEED_FP_AT_FP), OTHER,
	     ROW(SP, 8));
}

static void expressions_of_the_stack_pointer_are_rows(void **state)
{
	ROWS(eh_sp_deref, ROW(SP_DEREF, 128), OTHER, ROW(SP, 16), ROW(SP, 32), OTHER);
}

static void return_addresses_elsewhere_are_left_to_the_agent(void **state)
{
	ROWS(eh_returns, OTHER, OTHER, ROW(SP, 8), OTHER);
}

static void places_of_the_frame_pointer_that_fit_a_row_are_in_it(void **state)
{
	ROWS(eh_saved, ROW(SP, 32, SAVED(-3)), OTHER, OTHER, OTHER, ROW(SP, 32, SAVED(INT16_MIN)),
	     OTHER, ROW(SP, 32), ROW(SP, INT32_MAX), OTHER);
}

static void a_signal_frame_is_one_if_its_registers_are_where_the_kernel_puts_them(void **state)
{
	ROWS(eh_signal, ROW(SIGNAL, 64));
	ROWS(eh_no_signal, OTHER);
	ROWS(eh_plain_signal, OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(remembered_states_nest_and_bring_the_cfa_back),
	    cmocka_unit_test(no_return_address_is_the_root),
	    cmocka_unit_test(only_the_plt_whose_slots_handlers_know_is_one),
	    cmocka_unit_test(realigned_frames_are_found_through_the_frame_pointer),
	    cmocka_unit_test(expressions_of_the_stack_pointer_are_rows),
	    cmocka_unit_test(return_addresses_elsewhere_are_left_to_the_agent),
	    cmocka_unit_test(places_of_the_frame_pointer_that_fit_a_row_are_in_it),
	    cmocka_unit_test(a_signal_frame_is_one_if_its_registers_are_where_the_kernel_puts_them),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
