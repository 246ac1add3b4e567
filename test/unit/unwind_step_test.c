/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handler's walk by compiled tables against libunwind, at every instruction: a child runs on a stack
 * that both processes see at the same address, the parent steps it and walks that stack both ways.
 */
#include <alloca.h>
#include <dlfcn.h>
#include <errno.h>
#include <regex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "agent/unwind_libunwind.h"
#include "shim/regs.h"
#include "shim/unwind.h"
#include "test/unit/own_tables.h"

#define STACK (1U << 20)
#define FRAMES 64
#define SEEN (1U << 16) /* program counters, a power of two */
#define SEEN_TIMES 3	/* that each is walked from: it may be reached by different ways */
#define STEPS_MAX 400000

static struct own_tables own;
static struct unwinder *unwinder;
static uint8_t *stack;

struct tally {
	int steps, walked, same;
	int stuck; /* libunwind must go on: a rule that no row holds */
	int lost;  /* described wrongly, or by registers that are gone */
	int alone; /* only the tables found the root that all others have */
	uint64_t root;
};

static int setup(void **state)
{
	own_tables_make(&own);
	unwinder = unwinder_new(own.modules);
	stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return !unwinder || stack == MAP_FAILED;
}

static int teardown(void **state)
{
	unwinder_free(unwinder);
	own_tables_release(&own);
	munmap(stack, STACK);
	return 0;
}

/* By address, how often each was walked from. */
static struct seen {
	uint64_t pc;
	unsigned times;
} seen[SEEN];

static bool often(uint64_t pc)
{
	size_t i = (pc * 0x9e3779b97f4a7c15ULL) >> 48;

	while (seen[i].pc && seen[i].pc != pc)
		i = (i + 1) % SEEN;
	seen[i].pc = pc;
	return seen[i].times++ >= SEEN_TIMES;
}

static const char *where(uint64_t pc)
{
	const struct maps_entry *e = maps_find(&own.maps, pc);
	static char text[256];

	snprintf(text, sizeof(text), "%s+%#lx", e ? e->path : "?",
		 (unsigned long)(e ? pc - e->start + e->offset : pc));
	return text;
}

static void tell(uint64_t pc, const uint64_t *frames, size_t n, const uint64_t *pcs,
		 size_t m)
{
	print_message("at %s: by tables", where(pc));
	for (size_t i = 0; i < n; i++)
		print_message(" %lx", (unsigned long)(frames[i] & ~FEED_FRAME_EXACT));
	print_message("; by libunwind");
	for (size_t i = 0; i < m; i++)
		print_message(" %lx", (unsigned long)pcs[i]);
	print_message("\n");
}

static size_t walk_by_libunwind(const struct user_regs_struct *r, uint64_t *pcs,
				struct unwind_result *result)
{
	struct unwind_regs regs = {
		.pc = r->rip,
		.sp = r->rsp,
		.regs = {r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8, r->r9,
			 r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip}};
	uintptr_t from = (r->rsp - REGS_RED_ZONE) & ~7UL;
	struct unwind_input input = {.regs = &regs,
				     .stack = (uint8_t *)from,
				     .stack_addr = from,
				     .stack_len = (uintptr_t)stack + STACK - from,
				     .maps = &own.maps,
				     .pid = getpid()};

	return unwind_walk(unwinder, &input, pcs, FRAMES, result);
}

static void walk_both_ways(const struct user_regs_struct *r, struct tally *t)
{
	struct unwind_stack bounds = {.low = (r->rsp - REGS_RED_ZONE) & ~7UL,
				      .high = (uintptr_t)stack + STACK};
	uint64_t frames[FRAMES], pcs[FRAMES];
	struct unwind_result result;
	bool complete, same;
	size_t n, m;

	n = unwind_frames((struct unwind_cursor){.pc = r->rip, .sp = r->rsp, .fp = r->rbp, .exact = true}, &bounds, &own.tables,
			  frames, FRAMES, &complete);
	m = walk_by_libunwind(r, pcs, &result);
	t->walked++;
	if (!complete) {
		t->stuck += !result.truncated;
		t->lost += result.truncated;
		return;
	}
	/* GCC leaves a stale rule for rbp at the end of a realigned function; rows know that. */
	if (t->root && frames[n - 1] == t->root && (result.truncated || pcs[m - 1] != t->root)) {
		t->alone++;
		return;
	}
	same = n == m && !result.truncated;
	for (size_t i = 0; i < n && same; i++)
		same = (frames[i] & ~FEED_FRAME_EXACT) == pcs[i] &&
		       !!(frames[i] & FEED_FRAME_EXACT) == unwind_exact(&result, i);
	t->same += same;
	if (same)
		t->root = frames[n - 1];
	else
		tell( r->rip, frames, n, pcs, m);
}

static int child(void *body)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	((void (*)(void))body)();
	raise(SIGSTOP);
	_exit(0);
}

static struct tally step_through(void (*body)(void))
{
	struct user_regs_struct r;
	struct tally t = {0};
	int status, pass, stops = 0;
	pid_t pid = clone(child, stack + STACK, SIGCHLD, (void *)body);

	assert_true(pid > 0);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) && t.steps < STEPS_MAX) {
		/* One before the body, one behind it. */
		stops += WSTOPSIG(status) == SIGSTOP;
		if (stops > 1)
			break;
		assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &r), 0);
		if (t.steps++ && r.rsp > (uintptr_t)stack && r.rsp < (uintptr_t)stack + STACK &&
		    !often(r.rip))
			walk_both_ways(&r, &t);
		pass = WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, (void *)(uintptr_t)pass) != 0)
			break;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	print_message("%d instructions, walked from %d: %d agree, %d are for libunwind, %d for "
		      "the tables alone, %d for neither\n",
		      t.steps, t.walked, t.same, t.stuck, t.alone, t.lost);
	return t;
}

/* All agree, and few need the agent. Run once before, so that what it calls is bound. */
static void assert_agree(void (*body)(void), int least, int stuck_percent)
{
	struct tally t;

	body();
	t = step_through(body);
	assert_true(t.walked >= least);
	assert_int_equal(t.same + t.stuck + t.alone + t.lost, t.walked);
	assert_true((t.stuck + t.lost) * 100 <= t.walked * stuck_percent);
}

/* Bodies. */

static volatile int sink;

__attribute__((noinline)) static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void call_libc(void)
{
	char text[512], other[512];
	int numbers[64];
	regex_t regex;

	for (int i = 0; i < 64; i++)
		numbers[i] = (i * 7919) % 64;
	qsort(numbers, 64, sizeof(int), compare);
	memset(text, 'x', sizeof(text) - 1);
	text[511] = 0;
	memcpy(other, text, sizeof(text));
	sink = (int)strlen(other) + strcmp(text, other) + (strstr(text, "xy") != NULL);
	snprintf(text, sizeof(text), "%f %s %d %Lf", 3.25 * numbers[3], "abc", numbers[4], 1.5L);
	sink = (int)strtod("2.718281828459045235360287", NULL);
	if (regcomp(&regex, "(a|b)*c[0-9]+x", REG_EXTENDED) == 0) {
		sink = regexec(&regex, "ababababc1234x", 0, NULL, 0);
		regfree(&regex);
	}
	free(realloc(malloc(100), 100000));
	sink = getppid();
}

/* With alloca and a stricter alignment than the caller's GCC finds its arguments by a third register. */
__attribute__((noinline)) static int realigned(int n, ...)
{
	_Alignas(64) volatile char room[128];
	volatile char *more = alloca((size_t)n);
	va_list arguments;

	va_start(arguments, n);
	room[n] = more[n - 1] = (char)va_arg(arguments, int);
	va_end(arguments);
	sink = compare((const int *)&room[64], (const int *)&room[32]);
	return room[n] + more[n - 1];
}

__attribute__((noinline)) static int last(int n)
{
	volatile char room[40] = {(char)n};

	return room[0] + 1;
}

__attribute__((noinline)) static int tail_calls(int n)
{
	volatile char room[72] = {(char)n};

	sink = room[1] + compare(&n, &n);
	return last(n + 1);
}

static jmp_buf out;

__attribute__((noinline, noreturn)) static void never_returns(int n)
{
	sink = n;
	longjmp(out, 1);
}

/* Its last instruction is a call: the return address is another function's. */
__attribute__((noinline, noreturn)) static void ends_in_a_call(int n)
{
	volatile char room[24] = {(char)n};

	never_returns(room[0]);
}

__attribute__((noinline, optimize("no-omit-frame-pointer"))) static int keeps_a_frame_pointer(int n)
{
	volatile char room[24] = {(char)n};

	return realigned(room[0], 2) + tail_calls(n);
}

static void call_shapes(void)
{
	sink = realigned(7, 1) + keeps_a_frame_pointer(5) + tail_calls(3);
	if (setjmp(out) == 0)
		ends_in_a_call(1);
}

static void on_signal(int signo)
{
	sink = compare(&signo, &signo);
}

static void call_handlers(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	kill(getpid(), SIGUSR1);
}

static void call_vdso(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	sink = (int)time(NULL);
}

/* Of a library function that nothing here has called. */
static void call_once(void)
{
	sink = (int)wcslen(L"abc");
}

static unsigned char *(*sha256)(const unsigned char *, size_t, unsigned char *);
static unsigned char *(*sha512)(const unsigned char *, size_t, unsigned char *);
static int (*aes_key)(const unsigned char *, int, void *);
static void (*aes_encrypt)(const unsigned char *, unsigned char *, const void *);
static int (*base64)(unsigned char *, const unsigned char *, int);
static void *(*bn_new)(void), *(*bn_ctx_new)(void);
static int (*bn_hex)(void **, const char *);
static int (*bn_mod_exp)(void *, const void *, const void *, const void *, void *);

static bool find_libcrypto(void)
{
	void *lib = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		return false;
#define FIND(pointer, name) (*(void **)&(pointer) = dlsym(lib, name))
	return FIND(sha256, "SHA256") && FIND(sha512, "SHA512") &&
	       FIND(aes_key, "AES_set_encrypt_key") && FIND(aes_encrypt, "AES_encrypt") &&
	       FIND(base64, "EVP_EncodeBlock") && FIND(bn_new, "BN_new") &&
	       FIND(bn_ctx_new, "BN_CTX_new") && FIND(bn_hex, "BN_hex2bn") &&
	       FIND(bn_mod_exp, "BN_mod_exp");
#undef FIND
}

static void call_libcrypto(void)
{
	unsigned char text[300] = "abc", digest[64], key[512], encoded[512];
	void *a = NULL, *b = NULL, *m = NULL, *r = bn_new();
	char hex[257];

	sha256(text, sizeof(text), digest);
	sha512(text, sizeof(text), digest);
	aes_key(text, 128, key);
	aes_encrypt(text, digest, key);
	base64(encoded, text, sizeof(text));
	for (int i = 0; i < 256; i++)
		hex[i] = "fedcba9876543211"[i % 16];
	hex[256] = 0;
	bn_hex(&a, hex + 1);
	bn_hex(&m, hex);
	bn_hex(&b, "10001");
	bn_mod_exp(r, a, b, m, bn_ctx_new());
}

/* The dynamic linker's trampoline has its frame address in rbx, which a row cannot say. */
static void lazy_binding_is_left_to_the_agent_where_it_must_be(void **state)
{
	struct tally t = step_through(call_once);

	assert_true(t.walked >= 100);
	assert_int_equal(t.same + t.stuck, t.walked);
	assert_true(t.same >= 10);
}

static void libc_agrees_at_every_instruction(void **state)
{
	assert_agree(call_libc, 4000, 0);
}

static void shapes_of_frames_agree_at_every_instruction(void **state)
{
	/* While a realigned frame is made or left, its address is in r10, which no row has; and longjmp's
	 * last instructions have neither stack any more. */
	assert_agree(call_shapes, 100, 15);
}

static void handlers_and_their_returns_agree(void **state)
{
	assert_agree(call_handlers, 30, 0);
}

static void the_vdso_agrees(void **state)
{
	assert_agree(call_vdso, 30, 0);
}

static void hand_written_assembly_agrees(void **state)
{
	if (!sha256)
		skip();
	/* Prologues and epilogues that have the frame address in rax or r11. */
	assert_agree(call_libcrypto, 4000, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lazy_binding_is_left_to_the_agent_where_it_must_be),
		cmocka_unit_test(libc_agrees_at_every_instruction),
		cmocka_unit_test(shapes_of_frames_agree_at_every_instruction),
		cmocka_unit_test(handlers_and_their_returns_agree),
		cmocka_unit_test(the_vdso_agrees),
		cmocka_unit_test(hand_written_assembly_agrees),
	};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	print_message("skipped: a sanitizer's own code is not what is to be walked\n");
	return 0;
#endif
	if (!find_libcrypto())
		sha256 = NULL;
	return cmocka_run_group_tests(tests, setup, teardown);
}
