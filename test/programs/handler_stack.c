/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handler_stack - measures how much of its stack signals use: it paints what is below the stack pointer,
 * burns without a call, and looks how far down the paint is gone. Hazard: a handler that uses more than
 * small stacks have. "figure frame" is what the kernel takes for a signal's own frame, "figure used" what
 * all signals took below the stack pointer, both in bytes; 0 if none came.
 *
 * usage: handler_stack own|swapped SECONDS
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#include "host.h"

#define PAINTED 24576
#define RED_ZONE 128
#define PAINT 0xa5
#define STACK 65536

static volatile uintptr_t handler_at;
static volatile int ticked;
static double seconds;
static sigset_t alarm_only;
static ucontext_t back, swapped;

/* No local: its frame begins right where the kernel has put the return address. */
static void on_alarm(int signo)
{
	handler_at = (uintptr_t)__builtin_dwarf_cfa() - sizeof(uintptr_t);
	ticked = 1;
}

static inline __attribute__((always_inline)) uintptr_t stack_pointer(void)
{
	uintptr_t sp;

	__asm__ volatile("mov %%rsp, %0" : "=r"(sp));
	return sp;
}

/* Both burn in one frame, so that signals find the same stack pointer. */
__attribute__((noinline, noclone)) static void measure(void)
{
	struct itimerval soon = {.it_value = {.tv_usec = 20000}};
	double end;
	uintptr_t sp = stack_pointer();
	volatile unsigned char *low = (unsigned char *)sp - PAINTED;
	size_t untouched = 0;
	unsigned long x = 1;

	for (size_t i = 0; i < PAINTED - RED_ZONE; i++)
		low[i] = PAINT;
	end = 0;
	while (end < seconds * 1e9) {
		for (unsigned long i = 0; i < 1000; i++)
			__asm__ volatile("imul %0, %0" : "+r"(x));
		end += 1000;
	}
	while (untouched < PAINTED - RED_ZONE && low[untouched] == PAINT)
		untouched++;
	printf("figure used %zu\n", PAINTED - untouched == RED_ZONE ? 0 : PAINTED - untouched);
	/* Only now: the first tick, at which the profiler starts, is to be among those measured. */
	HOST_CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	while (!ticked)
		x = x * 6364136223846793005UL + 1;
	printf("figure frame %zu\n", (size_t)(sp - handler_at));
	host_sink = x;
}

static void *work(void *how)
{
	void *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	HOST_CHECK(stack != MAP_FAILED);
	HOST_CHECK(pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL) == 0);
	if (strcmp(how, "own") == 0) {
		measure();
		return NULL;
	}
	HOST_CHECK(getcontext(&swapped) == 0);
	swapped.uc_stack.ss_sp = stack;
	swapped.uc_stack.ss_size = STACK;
	swapped.uc_link = &back;
	makecontext(&swapped, measure, 0);
	HOST_CHECK(swapcontext(&back, &swapped) == 0);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t id;

	HOST_CHECK(argc == 3);
	seconds = atof(argv[2]);
	/* For the thread that measures, which unblocks it. */
	sigaddset(&alarm_only, SIGALRM);
	HOST_CHECK(pthread_sigmask(SIG_BLOCK, &alarm_only, NULL) == 0);
	HOST_CHECK(signal(SIGALRM, on_alarm) != SIG_ERR);
	HOST_CHECK(pthread_create(&id, NULL, work, argv[1]) == 0 && pthread_join(id, NULL) == 0);
	host_burn(0);
	host_say_cpu();
	return 0;
}
