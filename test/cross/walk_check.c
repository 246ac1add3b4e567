/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handler's walk by compiled tables against libgcc's _Unwind_Backtrace, wherever a timer hits: for
 * machines that nothing but a C library can be had for, so it needs no test library. `make cross-check`
 * runs it in an emulator that lets signals come between any two instructions.
 *
 * usage: walk_check SAMPLES
 */
#include <alloca.h>
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unwind.h>

#include "agent/debugfile.h"
#include "agent/elf_inflate.h"
#include "shim/regs.h"
#include "shim/unwind.h"
#include "test/unit/own_tables.h"

#define FRAMES 128
#define SECONDS_MAX 60

static struct own_tables own;
static int failures;

struct walk {
	uint64_t pcs[FRAMES];
	size_t count;
};

/* Debug files would want libelf. */
int debugfile_open(struct debugfile *out, const struct module *module)
{
	return -ENOENT;
}

void debugfile_release(struct debugfile *file)
{
}

int elf_inflate(const struct elf_file *elf, const struct elf_file_section *section, uint8_t **bytes,
		size_t *len)
{
	return -ENOTSUP;
}

static void expect(bool good, const char *what)
{
	printf("%s %s\n", good ? "ok  " : "FAIL", what);
	failures += !good;
}

static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *arg)
{
	struct walk *w = arg;
	int before;
	uintptr_t pc = (uintptr_t)_Unwind_GetIPInfo(context, &before);

	if (w->count < FRAMES && pc)
		w->pcs[w->count++] = pc;
	return _URC_NO_REASON;
}

static bool walk_tables(const ucontext_t *uc, struct walk *w)
{
	struct unwind_stack stack = {.low = (regs_sp(uc) - REGS_RED_ZONE) & ~(uintptr_t)7, .high = own.stack_high};
	bool complete;

	w->count = unwind_frames(regs_cursor(uc), &stack, &own.tables, w->pcs, FRAMES, &complete);
	for (size_t i = 0; i < w->count; i++)
		w->pcs[i] &= ~FEED_FRAME_EXACT;
	return complete;
}

/* From the root on, all of a but its own leaf side. */
static bool ends_alike(const struct walk *a, const struct walk *b, size_t least)
{
	size_t n = a->count < b->count ? a->count : b->count;

	for (size_t i = 1; i <= n; i++)
		if (a->pcs[a->count - i] != b->pcs[b->count - i])
			return i > least;
	return n >= least;
}

static void show(const char *what, const struct walk *w)
{
	printf("     %s:", what);
	for (size_t i = 0; i < w->count; i++)
		printf(" %lx", (unsigned long)w->pcs[i]);
	printf("\n");
}

/* Samples: what the tables say of the interrupted code, and what libgcc says from in here. */
static volatile sig_atomic_t taken, complete, alike, lost, shown;
static uint64_t root; /* where libgcc's own walks end: _start */
static uintptr_t trampoline;

static void on_tick(int signo, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	struct walk ours, theirs = {.count = 0};
	size_t skip = 0;

	taken++;
	if (!walk_tables(uc, &ours))
		ours.count = 0;
	else
		complete++;
	_Unwind_Backtrace(note, &theirs);
	while (skip < theirs.count && theirs.pcs[skip] != regs_pc(uc))
		skip++;
	theirs.count -= skip;
	memmove(theirs.pcs, theirs.pcs + skip, theirs.count * sizeof(theirs.pcs[0]));
	if (!theirs.count || theirs.pcs[theirs.count - 1] != root) {
		lost++; /* in a stub of a PLT, which nobody describes */
	} else if (ours.count == theirs.count && ends_alike(&ours, &theirs, ours.count)) {
		alike++;
	} else if (shown++ < 10) {
		show("ours", &ours);
		show("libgcc", &theirs);
	}
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

__attribute__((noinline)) static int with_alloca(int n)
{
	volatile char *room = alloca((size_t)n % 64 + 16);

	room[0] = (char)n;
	return n > 0 ? with_alloca(n - 7) + room[0] : room[0];
}

__attribute__((noinline)) static int with_large_frame(int n)
{
	volatile char room[9000];

	room[n] = (char)n;
	return n > 0 ? with_large_frame(n - 1) + room[n] : room[0];
}

__attribute__((noinline)) static long many_registers(long a, long b, long c, long d)
{
	long e = by_value(&a, &b), f = with_alloca((int)c & 15), g = a ^ d;

	for (int i = 0; i < 20; i++) {
		long t = e;

		e = f + (g ^ i);
		f = g - t;
		g = t * 3 + with_alloca((int)(e & 7));
	}
	return a + b + c + d + e + f + g;
}

/* A bit of everything that libc has: its assembly, its recursion, its calls back. */
static void busy(void)
{
	static char text[4096], other[4096];
	volatile long sum = 0;
	int numbers[128];
	regex_t regex;

	for (int i = 0; i < 128; i++)
		numbers[i] = (i * 7919) % 128;
	qsort(numbers, 128, sizeof(int), by_value);
	memset(text, 'x', sizeof(text) - 1);
	memcpy(other, text, sizeof(text));
	snprintf(text, sizeof(text), "%f %s %d", 3.25 * numbers[3], "abc", numbers[4]);
	if (regcomp(&regex, "(a|b)*c[0-9]+x", REG_EXTENDED) == 0) {
		regexec(&regex, "ababababc1234x", 0, NULL, 0);
		regfree(&regex);
	}
	free(malloc((size_t)numbers[5] * 100 + 1));
	sum += with_alloca(40) + with_large_frame(3) + many_registers(1, 2, 3, numbers[9]);
	(void)!getppid();
}

static void samples_of_a_timer_agree(int wanted)
{
	struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct itimerval every = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	time_t start = time(NULL);

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	while (taken < wanted && time(NULL) - start < SECONDS_MAX)
		busy();
	setitimer(ITIMER_REAL, &never, NULL);
	printf("%d samples, %d walked to the root, %d agree with libgcc, which lost %d\n", (int)taken,
	       (int)complete, (int)alike, (int)lost);
	expect(taken >= wanted && lost < taken / 10, "samples are taken");
	expect(complete >= taken * 0.99 && alike >= (taken - lost) * 0.99,
	       "samples walk to the root and agree with libgcc");
}

static struct walk here, expected;
static bool here_complete;

__attribute__((noinline)) static int walk_here(void)
{
	ucontext_t uc;

	getcontext(&uc);
	here_complete = walk_tables(&uc, &here);
	expected.count = 0;
	_Unwind_Backtrace(note, &expected);
	return 1;
}

static void on_raise(int signo)
{
	trampoline = (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0));
	walk_here();
}

/* An emulator may have a page of its own for what the vdso has: then this test tells its row. */
static void tell_of_the_trampoline(void)
{
	static const struct feed_row rows[] = {{.cfa = FEED_CFA_SIGNAL, .cfa_offset = 128},
					       {.start = 4096, .cfa = FEED_CFA_NONE}};
	const struct ehframe_table table = {.rows = (struct feed_row *)rows, .count = 2};
	struct feed_snapshot *s = (struct feed_snapshot *)(own.area + own.tables.snapshot);

	for (uint32_t i = 0; i < s->count; i++) {
		struct feed_mapping *m = &s->mappings[i];

		if (m->row_count)
			continue;
		m->row_count = FEED_FRAME_POINTERS;
		if (trampoline < m->start || trampoline >= m->end)
			continue;
		/* The kernel has a nop before: a return address is looked up one byte below. */
		m->start -= trampoline == m->start ? 4 : 0;
		m->rows_offset = OWN_TABLES_ROWS - 65536;
		m->base = m->start;
		ehframe_publish(&table, own.area + m->rows_offset);
		m->row_count = 2;
	}
}

static void a_walk_goes_through_a_signals_frame(void)
{
	raise(SIGUSR1);
	tell_of_the_trampoline();
	raise(SIGUSR1);
	root = expected.count ? expected.pcs[expected.count - 1] : 0;
	expect(here_complete && expected.count > 5 && ends_alike(&here, &expected, expected.count - 2),
	       "a walk goes through a signal's frame");
	if (failures) {
		show("ours", &here);
		show("libgcc", &expected);
	}
}

#if defined(__aarch64__)
/* Keeps a frame record below its locals, and tells nobody. */
__asm__(".text\n"
	".type undescribed, %function\n"
	"undescribed:\n"
	"	sub sp, sp, #64\n"
	"	stp x29, x30, [sp]\n"
	"	mov x29, sp\n"
	"	blr x0\n"
	"	ldp x29, x30, [sp]\n"
	"	add sp, sp, #64\n"
	"	ret\n"
	".size undescribed, .-undescribed\n");
extern int undescribed(int (*fn)(void));

/* The caller's sp is found by its own frame record. */
__attribute__((noinline, optimize("no-omit-frame-pointer"))) static int calls_undescribed(void)
{
	volatile int result = undescribed(walk_here); /* no tail call */

	return result + 1;
}

static void a_walk_goes_through_code_that_keeps_frame_records(void)
{
	struct walk caller = {.count = 0};

	_Unwind_Backtrace(note, &caller);
	calls_undescribed();
	/* Of the callers, all but this function's own frame, which has gone on since. */
	expect(here_complete && here.count == caller.count + 3 &&
		       ends_alike(&here, &caller, caller.count - 1),
	       "a walk goes through code that keeps frame records");
	if (failures) {
		show("ours", &here);
		show("callers", &caller);
	}
}
#else
static void a_walk_goes_through_code_that_keeps_frame_records(void)
{
}
#endif

int main(int argc, char **argv)
{
	int wanted = argc > 1 ? atoi(argv[1]) : 1000;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGUSR1, on_raise);
	own_tables_make(&own);
	a_walk_goes_through_a_signals_frame();
	a_walk_goes_through_code_that_keeps_frame_records();
	samples_of_a_timer_agree(wanted);
	own_tables_release(&own);
	return failures != 0;
}
