/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handler's walk by compiled tables, against two oracles: glibc's backtrace() from the same place,
 * and libunwind over a copy of the stack, for samples that a real timer takes wherever it hits.
 */
#include <execinfo.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <fcntl.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "agent/unwind_libunwind.h"
#include "shim/regs.h"
#include "shim/unwind.h"
#include "shim/unwind_table.h"
#include "test/unit/own_tables.h"

#define FRAMES 128
#define SAMPLES 2000
#define SLICE 65536

static struct own_tables own;

static int publish(void **state)
{
	own_tables_make(&own);
	return 0;
}

static int release(void **state)
{
	own_tables_release(&own);
	return 0;
}

static uint64_t found[FRAMES];
static size_t found_count;
static bool found_complete;
static void *expected[FRAMES];
static int expected_count;

__attribute__((noinline)) static void walk_here(void)
{
	ucontext_t uc;
	struct unwind_stack stack;

	getcontext(&uc);
	stack = (struct unwind_stack){.low = regs_sp(&uc) & ~(uintptr_t)7, .high = own.stack_high};
	found_count = unwind_frames(regs_cursor(&uc),
				  &stack, &own.tables, found, FRAMES, &found_complete);
	expected_count = backtrace(expected, FRAMES);
}

__attribute__((noinline)) static int deep(int n)
{
	volatile char room[96];

	room[0] = (char)n;
	if (n)
		return deep(n - 1) + room[0];
	walk_here();
	return room[0];
}

/* From the root up to walk_here's caller; below it a sanitizer's backtrace() has a frame of its own. */
static void assert_same_callers(void)
{
	assert_true(found_complete);
	assert_true(found_count > 2 && (size_t)expected_count >= found_count);
	/* libunwind's, which goes before glibc's here, gives the byte before on aarch64. */
	for (size_t i = 1; i < found_count; i++)
		assert_in_range((found[found_count - i] & ~FEED_FRAME_EXACT) -
					(uintptr_t)expected[(size_t)expected_count - i],
				0, 1);
}

static void the_walk_agrees_with_backtrace(void **state)
{
	deep(20);
	assert_same_callers();
}

static int compare(const void *a, const void *b)
{
	if (*(const int *)a == 7)
		walk_here();
	return *(const int *)a - *(const int *)b;
}

static void it_goes_through_functions_of_libc(void **state)
{
	int numbers[] = {9, 7, 8, 1};

	qsort(numbers, 4, sizeof(int), compare);
	assert_same_callers();
}

static void on_signal(int signo)
{
	walk_here();
}

static void it_goes_through_a_signal_frame(void **state)
{
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	assert_same_callers();
}

/* Taken by the timer; compared afterwards, outside the handler. */
static struct taken {
	uint64_t frames[FRAMES];
	size_t count;
	bool complete;
	uint64_t regs[FEED_REGS];
	uint64_t stack_address;
	size_t stack_length;
	uint8_t stack[SLICE] __attribute__((aligned(8)));
} *taken;
static volatile sig_atomic_t taken_count;

/* Word by word, unseen by sanitizers: the stack has their red zones in it. */
__attribute__((no_sanitize("address", "thread"))) static void copy(uint64_t *to, uintptr_t from,
								    size_t n)
{
	for (size_t i = 0; i < n / 8; i++)
		to[i] = ((volatile uint64_t *)from)[i];
}

static void on_tick(int signo, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	struct taken *s = &taken[taken_count];
	uintptr_t from = (regs_sp(uc) - REGS_RED_ZONE) & ~(uintptr_t)7;
	struct unwind_stack stack = {.low = from, .high = own.stack_high};

	if (taken_count == SAMPLES)
		return;
	s->count = unwind_frames(
		regs_cursor(uc), &stack,
		&own.tables, s->frames, FRAMES, &s->complete);
	regs_copy(s->regs, uc);
	s->stack_address = from;
	s->stack_length = own.stack_high - from < SLICE ? own.stack_high - from : SLICE;
	copy((uint64_t *)s->stack, from, s->stack_length);
	taken_count++;
}

/* A bit of everything that libc has: its assembly, its recursion, its calls back. */
static void busy(void)
{
	static char text[65536], other[65536];
	regex_t regex;
	int numbers[512];

	for (int i = 0; i < 512; i++)
		numbers[i] = (i * 7919) % 512;
	qsort(numbers, 512, sizeof(int), compare);
	memset(text, 'x', sizeof(text) - 1);
	memcpy(other, text, sizeof(text));
	snprintf(text, sizeof(text), "%f %s %d", 3.25 * numbers[3], "abc", numbers[4]);
	if (regcomp(&regex, "(a|b)*c[0-9]+x", REG_EXTENDED) == 0) {
		regexec(&regex, "ababababc1234x", 0, NULL, 0);
		regfree(&regex);
	}
	free(malloc((size_t)numbers[5] * 100 + 1));
	(void)!getppid();
}

static bool same_walk(struct unwinder *unwinder, const struct taken *s)
{
	struct unwind_regs regs = {.pc = s->regs[FEED_REG_PC], .sp = s->regs[FEED_REG_SP]};
	struct unwind_input input = {.regs = &regs,
				     .stack = s->stack,
				     .stack_addr = s->stack_address,
				     .stack_len = s->stack_length,
				     .maps = &own.maps,
				     .pid = getpid()};
	struct unwind_result result;
	uint64_t pcs[FRAMES];
	size_t n;

	memcpy(regs.regs, s->regs, sizeof(regs.regs));
	n = unwind_walk(unwinder, &input, pcs, FRAMES, &result);
	if (n != s->count || result.truncated)
		return false;
	for (size_t i = 0; i < n; i++)
		if (pcs[i] != (s->frames[i] & ~FEED_FRAME_EXACT))
			return false;
	return true;
}

/* Stubs of aarch64's PLTs have rows, but no description that libunwind could go by. */
#if defined(__aarch64__)
#define AGREE_MIN 0.96
#else
#define AGREE_MIN 0.995
#endif

static void samples_of_a_timer_agree_with_libunwind(void **state)
{
	struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct itimerval every = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	struct unwinder *unwinder = unwinder_new(own.modules);
	int complete = 0, same = 0;
	time_t start = time(NULL);

#ifdef __SANITIZE_THREAD__
	print_message("skipped: ThreadSanitizer delivers signals late, with a context of its own\n");
	skip();
#endif
	taken = calloc(SAMPLES, sizeof(*taken));
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &every, NULL);
	while (taken_count < SAMPLES && time(NULL) - start < 30)
		busy();
	setitimer(ITIMER_PROF, &never, NULL);
	for (int i = 0; i < taken_count; i++) {
		complete += taken[i].complete;
		same += !taken[i].complete || same_walk(unwinder, &taken[i]);
	}
	print_message("%d samples, %d walked to the root, %d agree with libunwind\n",
		      (int)taken_count, complete, same);
	assert_true(taken_count > 100);
	assert_true(complete >= taken_count * 0.99);
	assert_true(same >= taken_count * AGREE_MIN);
	unwinder_free(unwinder);
	free(taken);
}

/* Tables that lie may cost a stack, never a host. */
static void nonsense_in_the_tables_ends_the_walk(void **state)
{
	struct feed_snapshot *snapshot = (struct feed_snapshot *)(own.area + 8);
	struct feed_mapping good = snapshot->mappings[0];
	struct feed_mapping out;
	uint32_t count = snapshot->count;

	snapshot->count = UINT32_MAX;
	assert_false(unwind_find_mapping(&own.tables, good.start, &out));
	snapshot->count = count;
	own.tables.snapshot = OWN_TABLES_AREA - 4;
	assert_false(unwind_find_mapping(&own.tables, good.start, &out));
	own.tables.snapshot = 8;
	own.tables.maps_epoch = 1;
	assert_false(unwind_find_mapping(&own.tables, good.start, &out));
	own.tables.maps_epoch = 0;
	assert_true(unwind_find_mapping(&own.tables, good.start, &out));
	out.rows_offset = OWN_TABLES_AREA - 8;
	out.row_count = 100;
	assert_false(unwind_find_row(&own.tables, &out, good.start, &(struct feed_row){0}));
	out.rows_offset = 3;
	assert_false(unwind_find_row(&own.tables, &out, good.start, &(struct feed_row){0}));
}

static void a_step_never_leaves_the_stack(void **state)
{
	uintptr_t words[8] = {0};
	struct unwind_stack stack = {.low = (uintptr_t)words, .high = (uintptr_t)(words + 8)};
	struct feed_row up = {.cfa = FEED_CFA_SP, .cfa_offset = 1 << 30, .fp = FEED_FP_SAVED};
	struct feed_row down = {.cfa = FEED_CFA_SP, .cfa_offset = -8, .fp = FEED_FP_SAVED};
	struct feed_row odd = {.cfa = FEED_CFA_SP, .cfa_offset = 12, .fp = FEED_FP_SAVED};
	struct unwind_cursor c = {.pc = 1, .sp = (uintptr_t)words, .exact = true};

	assert_int_equal(unwind_apply(&c, &stack, &up), UNWIND_STUCK);
	assert_int_equal(unwind_apply(&c, &stack, &down), UNWIND_STUCK);
	assert_int_equal(unwind_apply(&c, &stack, &odd), UNWIND_STUCK);
	c.fp = (uintptr_t)(words + 8);
	assert_int_equal(unwind_frame_pointer(&c, &stack), UNWIND_STUCK);
	c.fp = 1;
	assert_int_equal(unwind_frame_pointer(&c, &stack), UNWIND_STUCK);
}

/* Where a thread's own stack has its root, a description says so. A zero elsewhere is what a walk finds
 * that went astray: in the middle of an unwinding, in code whose frame pointer is not one. */
static void a_return_address_of_zero_is_a_root_on_other_stacks_only(void **state)
{
	uintptr_t words[8] = {0};
	struct unwind_stack stack = {.low = (uintptr_t)words, .high = (uintptr_t)(words + 8)};
	struct feed_row row = {.cfa = FEED_CFA_SP, .cfa_offset = 16};
	struct feed_row record = {
		.cfa = FEED_CFA_SP, .cfa_offset = 16, .fp = FEED_FP_RECORD, .fp_offset = -2};
	struct unwind_cursor c = {
		.pc = 1, .sp = (uintptr_t)words, .fp = (uintptr_t)(words + 2), .exact = true};

	for (int foreign = 0; foreign < 2; foreign++) {
		enum unwind_step expected_step = foreign ? UNWIND_ROOT : UNWIND_STUCK;

		stack.foreign = foreign;
		assert_int_equal(unwind_apply(&c, &stack, &row), expected_step);
		assert_int_equal(unwind_frame_pointer(&c, &stack), expected_step);
		assert_int_equal(unwind_aarch64_apply(&c, &stack, &record), expected_step);
		assert_int_equal(unwind_aarch64_frame_pointer(&c, &stack), expected_step);
	}
}

static void a_return_is_undone_from_the_top_of_the_stack(void **state)
{
	uintptr_t words[4] = {11, 22, 33, 44};
	struct unwind_stack stack = {.low = (uintptr_t)words, .high = (uintptr_t)(words + 4)};
	struct unwind_cursor c = {.pc = 1, .sp = (uintptr_t)words, .fp = 77, .exact = true};

	assert_true(unwind_pop(&c, &stack, false));
	assert_int_equal(c.pc, 11);
	assert_int_equal(c.sp, (uintptr_t)(words + 1));
	assert_int_equal(c.fp, 77);
	assert_false(c.exact);
	assert_true(unwind_pop(&c, &stack, true));
	assert_int_equal(c.fp, 22);
	assert_int_equal(c.pc, 33);
	assert_true(unwind_pop(&c, &stack, false));
	assert_false(unwind_pop(&c, &stack, false));
}

/*
 * A subroutine in the middle of described code, as assembly has them: the rule of its surroundings
 * takes what it finds three words up for the return address, and that is no code.
 */
__asm__(".text\n"
	".type with_subroutine, @function\n"
	"with_subroutine:\n"
	".cfi_startproc\n"
	"	pushq $1\n"
	".cfi_adjust_cfa_offset 8\n"
	"	pushq $2\n"
	".cfi_adjust_cfa_offset 8\n"
	"	pushq $3\n"
	".cfi_adjust_cfa_offset 8\n"
	"	movq %rdi, %rax\n"
	"	call 1f\n"
	"	addq $24, %rsp\n"
	".cfi_adjust_cfa_offset -24\n"
	"	ret\n"
	".cfi_adjust_cfa_offset 24\n"
	"1:	movq %rsp, (%rax)\n"
	"2:	leaq 2b(%rip), %rcx\n"
	"	movq %rcx, 8(%rax)\n"
	"	movq %rbp, 16(%rax)\n"
	"	subq $8, %rsp\n"
	"	call walk_subroutine\n"
	"	addq $8, %rsp\n"
	"	ret\n"
	".cfi_endproc\n"
	".size with_subroutine, .-with_subroutine\n");

static struct {
	uintptr_t sp, pc, fp;
} subroutine;

void with_subroutine(void *registers);
void walk_subroutine(void);

__attribute__((used, noinline)) void walk_subroutine(void)
{
	struct unwind_stack stack = {.low = subroutine.sp, .high = own.stack_high};

	found_count = unwind_frames((struct unwind_cursor){.pc = subroutine.pc, .sp = subroutine.sp, .fp = subroutine.fp, .exact = true}, &stack,
				    &own.tables, found, FRAMES, &found_complete);
}

static void a_subroutine_that_is_described_wrongly_has_its_caller(void **state)
{
	with_subroutine(&subroutine);
	assert_true(found_complete);
	assert_int_equal(found[0], subroutine.pc | FEED_FRAME_EXACT);
	assert_in_range(found[1], (uintptr_t)with_subroutine, (uintptr_t)with_subroutine + 32);
	assert_in_range(found[2],
			(uintptr_t)a_subroutine_that_is_described_wrongly_has_its_caller,
			(uintptr_t)a_subroutine_that_is_described_wrongly_has_its_caller + 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_walk_agrees_with_backtrace),
		cmocka_unit_test(it_goes_through_functions_of_libc),
		cmocka_unit_test(it_goes_through_a_signal_frame),
		cmocka_unit_test(samples_of_a_timer_agree_with_libunwind),
		cmocka_unit_test(nonsense_in_the_tables_ends_the_walk),
		cmocka_unit_test(a_step_never_leaves_the_stack),
		cmocka_unit_test(a_return_address_of_zero_is_a_root_on_other_stacks_only),
		cmocka_unit_test(a_return_is_undone_from_the_top_of_the_stack),
		cmocka_unit_test(a_subroutine_that_is_described_wrongly_has_its_caller),
	};

	return cmocka_run_group_tests(tests, publish, release);
}
