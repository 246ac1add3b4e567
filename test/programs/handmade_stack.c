/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handmade_stack - burns on a stack that it made and switches to by a few instructions. Hazard: nobody
 * has described who called.
 *
 * "linked": the switch keeps its frame pointer and says so, as runtimes do that call C on a big stack:
 * the walk goes on where it came from. "root": the entry's caller is at address 0. "lost": at the top of
 * the stack, right below a page that cannot be read, is an entry whose return address leads nowhere.
 * "vanishing": as lost, and above is a page of a file that ends before it: whoever reads it gets SIGBUS.
 *
 * usage: handmade_stack linked|root|lost|vanishing SECONDS
 */
#include <stdint.h>
#include <sys/mman.h>

#include "tables.h"

#define PAGE 4096
#define STACK (8 * PAGE)
#define LEVELS 20

void switch_linked(void *top, void (*entry)(void));
void switch_root(void *top, void (*entry)(void), void **keep);
void switch_back(void **keep);

__asm__(".text\n"
	".globl switch_linked\n.type switch_linked, @function\n"
	"switch_linked:\n"
	".cfi_startproc\n"
	"	push %rbp\n	.cfi_def_cfa_offset 16\n	.cfi_offset %rbp, -16\n"
	"	mov %rsp, %rbp\n	.cfi_def_cfa_register %rbp\n"
	"	mov %rdi, %rsp\n"
	"	call *%rsi\n"
	"	mov %rbp, %rsp\n"
	"	pop %rbp\n	.cfi_def_cfa %rsp, 8\n"
	"	ret\n"
	".cfi_endproc\n"
	".size switch_linked, .-switch_linked\n"
	".globl switch_root\n.type switch_root, @function\n"
	"switch_root:\n"
	"	push %rbp\n	push %rbx\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	"	mov %rsp, (%rdx)\n"
	"	mov %rdi, %rsp\n"
	"	xor %ebp, %ebp\n"
	"	jmp *%rsi\n"
	".size switch_root, .-switch_root\n"
	".globl switch_back\n.type switch_back, @function\n"
	"switch_back:\n"
	"	mov (%rdi), %rsp\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbx\n	pop %rbp\n"
	"	ret\n"
	".size switch_back, .-switch_back\n");

static double seconds;
static void *keep;
static int linked;

__attribute__((noinline, noclone)) static int descend(int levels)
{
	volatile int keeps_the_frame = levels;

	if (levels)
		return descend(levels - 1) + keeps_the_frame;
	host_burn(seconds);
	return 0;
}

__attribute__((noinline, noclone)) static void stack_entry(void)
{
	printf("%d\n", descend(LEVELS));
	if (!linked)
		switch_back(&keep);
}

/* The stack, and behind it a page that is none of it. */
static char *make(int vanishing)
{
	char name[] = "/dev/shm/handmade-XXXXXX";
	char *all = mmap(NULL, STACK + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd;

	HOST_CHECK(all != MAP_FAILED);
	HOST_CHECK(mprotect(all + PAGE, STACK, PROT_READ | PROT_WRITE) == 0);
	if (vanishing) {
		fd = mkstemp(name);
		HOST_CHECK(fd >= 0 && unlink(name) == 0);
		HOST_CHECK(mmap(all + PAGE + STACK, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) !=
			   MAP_FAILED);
		close(fd);
	}
	return all + PAGE + STACK;
}

int main(int argc, char **argv)
{
	uintptr_t *top;

	HOST_CHECK(argc == 3);
	tables_await(host_burn, NULL, NULL);
	seconds = atof(argv[2]);
	linked = strcmp(argv[1], "linked") == 0;
	top = (uintptr_t *)make(strcmp(argv[1], "vanishing") == 0);
	if (linked) {
		switch_linked(top, stack_entry);
	} else {
		/* Where a call would have left it; what nothing is mapped at, for lost. */
		*--top = strcmp(argv[1], "root") == 0 ? 0 : 0x10;
		switch_root(top, stack_entry, &keep);
	}
	host_say_cpu();
	return 0;
}
