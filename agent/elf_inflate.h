/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sections that are compressed (SHF_COMPRESSED), by zlib or zstd, whichever libelf knows.
 *
 * AGENT. The headers are vetted and what they claim to inflate to is bounded, as for all that is handed
 * to a library (symbol_map.h).
 */
#ifndef SPANPROF_AGENT_ELF_INFLATE_H
#define SPANPROF_AGENT_ELF_INFLATE_H

#include "agent/elf_file.h"

/* The section's contents in fresh memory, or -errno; of a file that has a descriptor. */
int elf_inflate(const struct elf_file *elf, const struct elf_file_section *section, uint8_t **bytes,
		size_t *len);

#endif
