/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks for the sections and the instructions.
 *
 * AGENT: called by publish.c once an object's table is compiled. The bytes are not trusted: what is
 * found by mistake costs a stack.
 */
#include "agent/undescribed.h"

#include "agent/ehframe_machine.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (64u << 10) /* bytes of a vdso's code; it has a few pages */
#define INSTRUCTION 4
#define PLT_HEADER 32 /* bytes: pushes lr, and jumps to the dynamic linker's resolver */

static const struct feed_row none = {.cfa = FEED_CFA_NONE};
static const struct feed_row leaf = {.cfa = FEED_CFA_SP, .fp = FEED_FP_SAME};

/* The header pushes in its first instruction, or behind a landing pad. */
static uint64_t pushed_at(const struct module *m, uint64_t plt)
{
	static const uint8_t push[] = {0xf0, 0x7b, 0xbf, 0xa9}; /* stp x16, x30, [sp, #-16]! */
	uint8_t code[2 * INSTRUCTION];

	if (module_read(m, plt, code, sizeof(code)))
		return 0;
	for (unsigned int i = 0; i < sizeof(code); i += INSTRUCTION)
		if (!memcmp(code + i, push, sizeof(push)))
			return plt + i + INSTRUCTION;
	return 0;
}

static void add_stubs(const struct module *m, const char *name, struct ehframe_table *t)
{
	static const struct feed_row header = {
	    .cfa = FEED_CFA_SP, .cfa_offset = 16, .fp = FEED_FP_LR, .fp_offset = -1};
	const struct elf_file_section *sec = elf_file_section(&m->elf, name);
	uint64_t at, pushed;

	if (!sec || sec->addr > INT64_MAX || sec->size < INSTRUCTION)
		return;
	at = sec->addr;
	pushed = sec->size > PLT_HEADER ? pushed_at(m, at) : 0;
	if (pushed) {
		ehframe_insert(t, at, pushed, leaf);
		ehframe_insert(t, pushed, at + PLT_HEADER, header);
		at += PLT_HEADER;
	}
	ehframe_insert(t, at, sec->addr + sec->size, leaf);
}

/*
 * The kernel describes its sigreturn no more since 5.8: unwinders know it by its instructions. A
 * handler's return address is the first one, so the place to be found is the one before.
 */
static void add_vdso(const struct module *m, struct ehframe_table *t)
{
	/* mov x8, #__NR_rt_sigreturn; svc #0 */
	static const uint8_t sigreturn[] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};
	size_t n = m->text_size < TEXT_MAX ? (size_t)m->text_size : TEXT_MAX;
	uint8_t *text = malloc(n ? n : 1);

	/* What has no table at all is walked by the agent; this code keeps frame records. */
	if (!t->count)
		ehframe_insert(t, m->text_vaddr, m->text_vaddr + n, none);
	if (text && !module_read(m, m->text_vaddr, text, n)) {
		for (size_t i = INSTRUCTION; i + sizeof(sigreturn) <= n; i += INSTRUCTION) {
			uint64_t at = m->text_vaddr + i;

			if (!memcmp(text + i, sigreturn, sizeof(sigreturn)))
				ehframe_insert(t, at - INSTRUCTION, at + sizeof(sigreturn),
					       ehframe_aarch64_signal);
		}
	}
	free(text);
}

void undescribed_add(const struct module *m, struct ehframe_table *t)
{
	if (m->elf.machine != EM_AARCH64)
		return;
	add_stubs(m, ".plt", t);
	add_stubs(m, ".iplt", t);
	if (!strcmp(m->name, "[vdso]"))
		add_vdso(m, t);
}
