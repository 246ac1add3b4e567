/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aarch64's stubs: adrp x16, page; ldr x17, [x16, #offset]; add; br x17; before it a landing pad where
 * there are some. Their size varies, so the two instructions that say it are looked for around the
 * address.
 *
 * AGENT: called by symbol_plt.c.
 */
#include "agent/symbol_plt.h"

#include <errno.h>
#include <string.h>

#define INSTRUCTION 4
#define BACK_MAX 4 /* instructions of a stub behind the adrp */
#define PAGE 4096
#define LANDING_PAD 0xd503245f /* bti c */

static bool read_code(const struct elf_file *elf, const struct elf_file_section *sec, uint64_t vaddr,
		      uint32_t *code, size_t n)
{
	return vaddr >= sec->addr && vaddr - sec->addr < sec->size &&
	       sec->size - (vaddr - sec->addr) >= n * INSTRUCTION &&
	       !elf_file_read(elf, sec->offset + (vaddr - sec->addr), code, n * INSTRUCTION);
}

static bool decode(const uint32_t code[2], uint64_t vaddr, uint64_t *slot)
{
	uint64_t pages = (code[0] >> 29 & 3) | (uint64_t)(code[0] >> 5 & 0x7ffff) << 2;

	if ((code[0] & 0x9f00001f) != 0x90000010 || (code[1] & 0xffc003ff) != 0xf9400211)
		return false;
	if (pages >> 20)
		pages |= UINT64_MAX << 21;
	*slot = vaddr / PAGE * PAGE + pages * PAGE + (uint64_t)(code[1] >> 10 & 0xfff) * 8;
	return true;
}

int symbol_plt_aarch64_slot(const struct elf_file *elf, const struct elf_file_section *sec,
			    uint64_t vaddr, uint64_t *slot)
{
	uint64_t at = vaddr / INSTRUCTION * INSTRUCTION;
	uint32_t code[2];

	if (read_code(elf, sec, at, code, 1) && code[0] == LANDING_PAD)
		at += INSTRUCTION;
	for (unsigned int back = 0; back <= BACK_MAX; back++, at -= INSTRUCTION) {
		if (!read_code(elf, sec, at, code, 2))
			continue;
		if (decode(code, at, slot))
			return 0;
	}
	return -ENOENT;
}
