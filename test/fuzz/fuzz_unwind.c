/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any registers, stack and ELF file: libunwind, behind the checks, neither crashes nor runs away.
 * An input is struct head, then the file; the pcs are folded into the file's mapping.
 */
#include "agent/unwind_libunwind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CODE 0x10000
#define CODE_SIZE 0x4000
#define FRAMES 64

struct head {
	uint16_t pc, sp, place;
	uint16_t regs[UNWIND_REGISTERS - 1]; /* odd: relative to the stack */
	uint16_t stack[128]; /* words; even: a return address, odd: into the stack */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A host says where its stack is; address 0 and the file's own are the interesting lies. */
static uint64_t stack_address(const struct head *head)
{
	static const uint64_t places[] = {0x7f0000, 0, CODE, CODE + 0x200};

	return places[head->place % 4];
}

static uint64_t widen(const struct head *head, uint16_t v)
{
	return v % 2 ? stack_address(head) + v / 2 % sizeof(((struct head *)0)->stack) * 4
		     : CODE + v % CODE_SIZE;
}

static void walk(struct modules *modules, const struct head *head, const struct maps *maps)
{
	struct unwinder *u = unwinder_new(modules);
	uint64_t stack[128], pcs[FRAMES];
	struct unwind_regs regs = {.pc = CODE + head->pc % CODE_SIZE,
				   .sp = stack_address(head) + head->sp % 1024};
	struct unwind_input in = {.regs = &regs,
				  .stack = (const uint8_t *)stack,
				  .stack_addr = stack_address(head),
				  .stack_len = sizeof(stack),
				  .maps = maps};
	struct unwind_result result;
	size_t n;

	for (size_t i = 0; i < 128; i++)
		stack[i] = widen(head, head->stack[i]);
	for (size_t i = 0; i < UNWIND_REGISTERS - 1; i++)
		regs.regs[i] = widen(head, head->regs[i]);
	n = unwind_walk(u, &in, pcs, FRAMES, &result);
	if (!n || n > FRAMES || pcs[0] != regs.pc || !unwind_exact(&result, 0))
		abort();
	unwinder_free(u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct modules *modules;
	struct head head;
	struct maps maps;
	struct stat st;
	char text[128];
	int n;

	if (size < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	data += sizeof(head);
	size -= sizeof(head);
	if (fd < 0)
		fd = memfd_create("fuzz_unwind", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size ||
	    fstat(fd, &st))
		abort();
	n = snprintf(text, sizeof(text), "%x-%x r-xp 0 %x:%x %lu /proc/self/fd/%d\n", CODE,
		     CODE + CODE_SIZE, (unsigned int)(st.st_dev >> 8),
		     (unsigned int)(st.st_dev & 255), (unsigned long)st.st_ino, fd);
	maps_init(&maps);
	modules = modules_new();
	if (!modules || maps_parse(&maps, text, (size_t)n) || maps.count != 1)
		abort();
	walk(modules, &head, &maps);
	modules_free(modules);
	maps_release(&maps);
	return 0;
}
