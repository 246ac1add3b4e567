/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .gnu_debugdata: the symbol table that distributions leave, xz-compressed, in stripped objects.
 *
 * AGENT. An ELF file within a file: as untrusted, and decompressed within bounds.
 */
#ifndef SPANPROF_AGENT_SYMBOL_MINI_H
#define SPANPROF_AGENT_SYMBOL_MINI_H

#include "agent/elf_file.h"

#define SYMBOL_MINI_PACKED_MAX (16u << 20)
#define SYMBOL_MINI_MAX (32u << 20)
#define SYMBOL_MINI_DECODER_MAX (64u << 20) /* bytes that the decoder may use meanwhile */

struct symbol_mini {
	struct elf_file elf;
	uint8_t *image; /* NULL: there is none */
};

/* 0, -ENOENT without one, -EBADMSG, -EFBIG, -ENOMEM. On an error nothing is held. */
int symbol_mini_open(struct symbol_mini *mini, const struct elf_file *elf);
void symbol_mini_release(struct symbol_mini *mini);

#endif
