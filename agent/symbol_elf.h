/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Function symbols of one ELF object, sorted by address.
 *
 * AGENT. Names are the file's own bytes, only bounded and NUL-terminated: whoever encodes them
 * makes them UTF-8.
 */
#ifndef SPANPROF_AGENT_SYMBOL_ELF_H
#define SPANPROF_AGENT_SYMBOL_ELF_H

#include "agent/elf_file.h"

#include <stdbool.h>

#define SYMBOL_ELF_MAX (3u << 19)	/* functions; any further ones are dropped */
#define SYMBOL_ELF_SCAN_MAX (16u << 20) /* symbols of any kind looked at */
#define SYMBOL_ELF_STRINGS_MAX                                                                     \
	(16u << 20)		  /* bytes of names kept; of more, each is read when asked for */
#define SYMBOL_ELF_NAME_MAX 65535 /* bytes of one name */
#define SYMBOL_ELF_NEST_MAX 32	  /* enclosing symbols followed in one lookup */

struct symbol_elf_entry {
	uint64_t start, end;
	uint32_t name;	    /* offset into strings */
	uint32_t enclosing; /* entry that starts earlier and goes on beyond, or SYMBOL_ELF_NONE */
};

#define SYMBOL_ELF_NONE UINT32_MAX

struct symbol_elf {
	struct symbol_elf_entry *entries;
	size_t count;
	const struct elf_file *elf; /* borrowed */
	uint64_t strings_offset, strings_len;
	char *strings; /* NULL: too many to be kept */
	char *name;    /* the one that was asked for last */
};

/*
 * Symbols of one kind (SHT_SYMTAB or SHT_DYNSYM). 0, also when the object has none; -errno leaves
 * the table empty. elf outlives the table.
 */
int symbol_elf_load(struct symbol_elf *table, const struct elf_file *elf, uint32_t type);
void symbol_elf_release(struct symbol_elf *table);
size_t symbol_elf_bytes(const struct symbol_elf *table);

/* The function that vaddr lies inside, or NULL: a neighbour's name is never given. */
const struct symbol_elf_entry *symbol_elf_find(const struct symbol_elf *table, uint64_t vaddr);

/* Its name, or NULL when that is over-long or unreadable. Valid until the next call. */
const char *symbol_elf_name(struct symbol_elf *table, const struct symbol_elf_entry *entry);

/* Whether the name of any function begins with prefix; false also where names are not kept. */
bool symbol_elf_any(const struct symbol_elf *table, const char *prefix);

#endif
