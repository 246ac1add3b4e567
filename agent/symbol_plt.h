/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the stubs through which an object calls others: "memcpy@plt".
 *
 * AGENT. Instructions and relocations of an untrusted file; whatever is not understood has no name.
 */
#ifndef SPANPROF_AGENT_SYMBOL_PLT_H
#define SPANPROF_AGENT_SYMBOL_PLT_H

#include "agent/elf_file.h"

#define SYMBOL_PLT_RELOCATIONS_MAX (1u << 16) /* of one section */
#define SYMBOL_PLT_NAME_MAX 8192

/*
 * The function that the stub at vaddr calls, "@plt" not appended, in name (n bytes). 0, or
 * -ENOENT: no stub, or nothing is known about it.
 */
int symbol_plt_find(const struct elf_file *elf, uint64_t vaddr, char *name, size_t n);

/* symbol_plt_aarch64.c: where the stub at vaddr finds its target's address. 0, -ENOENT. */
int symbol_plt_aarch64_slot(const struct elf_file *elf, const struct elf_file_section *sec,
			    uint64_t vaddr, uint64_t *slot);

#endif
