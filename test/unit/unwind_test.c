/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/unwind_libunwind.c over copies of the test's own stack, against glibc's backtrace(), and
 * over stacks and tables that lie.
 */
#include "agent/symbol.h"
#include "agent/unwind_libunwind.h"
#include "shim/regs.h"

#include <execinfo.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#define STACK_MAX (256 << 10)
#define DEPTH 12
#define PCS_MAX 128

/* One capture: what the handler would put into a record, and glibc's opinion. */
struct sample {
	struct unwind_regs regs;
	uint8_t stack[STACK_MAX];
	size_t stack_len;
	void *expected[PCS_MAX];
	int nexpected;
};

static struct {
	struct modules *modules;
	struct unwinder *unwinder;
	struct maps maps;
	struct sample sample, interrupted;
	uint64_t interrupted_pc;
} t;

static __attribute__((noinline)) void take_registers(struct unwind_regs *regs, const ucontext_t *uc)
{
	regs_copy(regs->regs, uc);
	regs->pc = regs_pc(uc);
	regs->sp = regs_sp(uc);
}

/* Through the kernel: a plain copy would trip over the redzones of an instrumented stack. */
static void take_stack(struct sample *s)
{
	const struct maps_entry *e = maps_find(&t.maps, s->regs.sp);
	struct iovec from = {(void *)(uintptr_t)s->regs.sp, STACK_MAX}, to = {s->stack, STACK_MAX};
	ssize_t n;

	if (e && e->end - s->regs.sp < STACK_MAX)
		from.iov_len = e->end - s->regs.sp;
	n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	s->stack_len = n > 0 ? (size_t)n : 0;
}

static __attribute__((noinline)) void capture(void *arg)
{
	ucontext_t uc;

	getcontext(&uc);
	take_registers(&t.sample.regs, &uc);
	take_stack(&t.sample);
	t.sample.nexpected = backtrace(t.sample.expected, PCS_MAX);
	__asm__ volatile("" ::"r"(&uc) : "memory");
}

static __attribute__((noinline)) long deep(int depth, void (*leaf)(void *), void *arg)
{
	volatile char room[64];

	room[depth % 64] = (char)depth;
	if (depth == 0)
		leaf(arg);
	else
		room[1] = (char)deep(depth - 1, leaf, arg);
	return room[depth % 64] + 1; /* after the call: no tail call */
}

static size_t walk(const struct sample *s, uint64_t *pcs, size_t max, struct unwind_result *r)
{
	struct unwind_input in = {
	    .regs = &s->regs,
	    .stack = s->stack,
	    .stack_addr = s->regs.sp,
	    .stack_len = s->stack_len,
	    .maps = &t.maps,
	    .pid = getpid(),
	};

	return unwind_walk(t.unwinder, &in, pcs, max, r);
}

static const char *name_of(uint64_t pc, bool exact)
{
	const struct maps_entry *e = maps_find(&t.maps, pc);
	struct symbol_frame frame;
	struct module *m;

	assert_non_null(e);
	m = module_get(t.modules, e, getpid());
	symbol_resolve(m, module_vaddr(m, e, pc - !exact), &frame, 1);
	return frame.name;
}

/* Compilers append to the names of functions that they specialise (deep.constprop.0). */
static void assert_named(uint64_t pc, bool exact, const char *name)
{
	const char *found = name_of(pc, exact);
	char stem[64] = "";

	memcpy(stem, found, strcspn(found, ".") < 63 ? strcspn(found, ".") : 63);
	assert_string_equal(stem, name);
}

static int setup(void **state)
{
	int fd;

	backtrace(t.sample.expected, 1); /* loads libgcc_s, which must be in the maps */
	fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	maps_init(&t.maps);
	assert_int_equal(maps_read_fd(&t.maps, fd), 0);
	close(fd);
	t.modules = modules_new();
	t.unwinder = unwinder_new(t.modules);
	assert_non_null(t.unwinder);
	return 0;
}

static int teardown(void **state)
{
	unwinder_free(t.unwinder);
	modules_free(t.modules);
	maps_release(&t.maps);
	return 0;
}

/* libunwind's backtrace(), which goes before glibc's here, gives the byte before on aarch64. */
static bool same_address(uint64_t pc, const void *expected)
{
	return pc - (uint64_t)(uintptr_t)expected <= 1;
}

/* The frames from deep() outwards must be the same; above it, sanitizers add frames of their own.
 */
static void compare_with_backtrace(const uint64_t *pcs, size_t n)
{
	int first = 0;

	while (first < t.sample.nexpected && !same_address(pcs[1], t.sample.expected[first]))
		first++;
	assert_int_equal(n - 1, t.sample.nexpected - first);
	for (size_t i = 1; i < n; i++)
		assert_true(same_address(pcs[i], t.sample.expected[first + (int)i - 1]));
}

static void a_walk_over_a_copy_finds_what_backtrace_finds(void **state)
{
	struct unwind_result r;
	uint64_t pcs[PCS_MAX];
	size_t n;

	deep(DEPTH, capture, NULL);
	n = walk(&t.sample, pcs, PCS_MAX, &r);
	assert_false(r.truncated);
	assert_true(n > DEPTH + 4);
	assert_named(pcs[0], true, "capture");
	for (size_t i = 1; i <= DEPTH + 1; i++)
		assert_named(pcs[i], false, "deep");
	assert_named(pcs[n - 1], false, "_start");
	compare_with_backtrace(pcs, n);
	assert_true(unwind_exact(&r, 0));
	for (size_t i = 1; i < n; i++)
		assert_false(unwind_exact(&r, i));
}

static void a_slice_that_ends_early_gives_the_frames_it_holds(void **state)
{
	struct unwind_result r, whole;
	uint64_t pcs[PCS_MAX], part[PCS_MAX];
	size_t n, m;

	deep(DEPTH, capture, NULL);
	n = walk(&t.sample, pcs, PCS_MAX, &whole);
	for (size_t len = 0; len < 4096; len += 104) {
		t.sample.stack_len = len;
		m = walk(&t.sample, part, PCS_MAX, &r);
		assert_true(m >= 1 && m <= n);
		assert_memory_equal(part, pcs, m * sizeof(*pcs));
		assert_int_equal(r.truncated, m < n);
	}
}

static void no_more_frames_are_written_than_asked_for(void **state)
{
	struct unwind_result r;
	uint64_t pcs[4] = {0, 0, 0, 42};

	deep(DEPTH, capture, NULL);
	assert_int_equal(walk(&t.sample, pcs, 3, &r), 3);
	assert_true(r.truncated);
	assert_int_equal(pcs[3], 42);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	take_registers(&t.interrupted.regs, context);
	t.interrupted_pc = t.interrupted.regs.pc;
	take_stack(&t.interrupted);
	capture(NULL);
	__asm__ volatile("" ::: "memory"); /* no tail call */
}

static void raise_signal(void *arg)
{
	raise(SIGUSR1);
	__asm__ volatile("" ::: "memory");
}

static void a_signal_is_walked_through_and_the_interrupted_pc_is_exact(void **state)
{
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	uint64_t inner[PCS_MAX], outer[PCS_MAX];
	struct unwind_result ri, ro;
	size_t n, m, at;

	assert_int_equal(sigaction(SIGUSR1, &sa, NULL), 0);
	deep(DEPTH, raise_signal, NULL);
	signal(SIGUSR1, SIG_DFL);
	n = walk(&t.sample, inner, PCS_MAX, &ri);
	m = walk(&t.interrupted, outer, PCS_MAX, &ro);
	assert_false(ri.truncated);
	assert_false(ro.truncated);
	assert_true(outer[0] == t.interrupted_pc);
	for (at = 1; at < n && !unwind_exact(&ri, at); at++)
		;
	assert_int_equal(n - at, m);
	assert_memory_equal(inner + at, outer, m * sizeof(*outer));
	for (size_t i = at + 1; i < n; i++)
		assert_false(unwind_exact(&ri, i));
	assert_named(inner[0], true, "capture");
	assert_named(inner[1], false, "on_signal");
}

#if defined(__aarch64__)
/* stp x29, x30, [sp, #-16]!; mov x29, sp; blr x0; ldp x29, x30, [sp], #16; ret */
static const uint32_t code[] = {0xa9bf7bfd, 0x910003fd, 0xd63f0000, 0xa8c17bfd, 0xd65f03c0};
#define CODE_RETURN 12
#else
/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
static const uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
#define CODE_RETURN 6
#endif

static void code_without_a_description_is_stepped_by_its_frame_pointer(void **state)
{
	uint8_t *jit = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct unwind_result r;
	uint64_t pcs[PCS_MAX];
	size_t n;

	assert_ptr_not_equal(jit, MAP_FAILED);
	memcpy(jit, code, sizeof(code));
	__builtin___clear_cache((char *)jit, (char *)jit + sizeof(code));
	assert_int_equal(maps_read_fd(&t.maps, fd), 0);
	close(fd);
	((void (*)(void (*)(void *)))(uintptr_t)jit)(capture);
	n = walk(&t.sample, pcs, PCS_MAX, &r);
	assert_false(r.truncated);
	assert_true(pcs[1] == (uint64_t)(uintptr_t)(jit + CODE_RETURN));
	assert_string_equal(name_of(pcs[1], false), "[anon]");
	assert_named(pcs[2], false, __func__);
	assert_named(pcs[n - 1], false, "_start");
	munmap(jit, 4096);
}

static void a_stack_of_garbage_ends_the_walk(void **state)
{
	struct unwind_result r;
	uint64_t pcs[UNWIND_FRAMES_MAX];
	size_t n;

	deep(DEPTH, capture, NULL);
	memset(t.sample.stack, 0x5a, t.sample.stack_len);
	n = walk(&t.sample, pcs, UNWIND_FRAMES_MAX, &r);
	assert_int_equal(n, 1);
	assert_true(r.truncated);
	t.sample.regs.pc = 0;
	n = walk(&t.sample, pcs, UNWIND_FRAMES_MAX, &r);
	assert_int_equal(n, 1);
	assert_true(r.truncated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_walk_over_a_copy_finds_what_backtrace_finds),
	    cmocka_unit_test(a_slice_that_ends_early_gives_the_frames_it_holds),
	    cmocka_unit_test(no_more_frames_are_written_than_asked_for),
	    cmocka_unit_test(a_signal_is_walked_through_and_the_interrupted_pc_is_exact),
	    cmocka_unit_test(code_without_a_description_is_stepped_by_its_frame_pointer),
	    cmocka_unit_test(a_stack_of_garbage_ends_the_walk),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
