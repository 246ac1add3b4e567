/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alternate_stack - handlers on alternate stacks that are just large enough for them. Hazard: with
 * AVX-512 a signal's frame alone takes 3 KiB, so a profiler's signal must neither be delivered to an
 * alternate stack nor nest on one. "small": 2048 bytes, where only a handler that is never called
 * fits; "tight": room for one signal's frame and a handler that burns; "jump": the same with handlers
 * that are left by siglongjmp, which restores the signal mask while it is still on that stack.
 *
 * usage: alternate_stack small|tight|jump
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "host.h"

#define PAGE 4096
#define ROUNDS 10

static char stack[16384];
static char page[PAGE] __attribute__((aligned(PAGE)));
static sigjmp_buf back;
static int jump;
static volatile int calls;

static void handle(int signo, siginfo_t *info, void *ucontext)
{
	calls++;
	host_burn(0.03);
	if (jump)
		siglongjmp(back, 1);
	if (signo == SIGSEGV)
		mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

/* Bind what the handlers call: the dynamic linker needs 3 KiB for that. */
static void bind_now(void)
{
	if (sigsetjmp(back, 1) == 0)
		siglongjmp(back, 1);
	HOST_CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
	host_burn(0);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	stack_t alternate = {.ss_sp = stack};
	int small;

	HOST_CHECK(argc == 2);
	small = strcmp(argv[1], "small") == 0;
	jump = strcmp(argv[1], "jump") == 0;
	alternate.ss_size = small ? 2048 : (size_t)sysconf(_SC_MINSIGSTKSZ) + 1536;
	bind_now();
	HOST_CHECK(sigaltstack(&alternate, NULL) == 0);
	HOST_CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	HOST_CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	host_burn(0.2);
	for (volatile int i = 0; i < ROUNDS && !small; i++) {
		if (sigsetjmp(back, 1) == 0)
			raise(SIGUSR1);
		HOST_CHECK(mprotect(page, PAGE, PROT_READ) == 0);
		if (sigsetjmp(back, 1) == 0)
			*(volatile char *)page = 1;
	}
	printf("handlers called %d times\n", calls);
	host_say_cpu();
	return 0;
}
