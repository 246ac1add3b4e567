/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stub jumps through a slot, or pushes the number of a relocation; either leads to a symbol.
 *
 * AGENT: called by symbol_source.c. Keeps nothing: stubs are rarely sampled, and their names are
 * cached with all others.
 */
#include "agent/symbol_plt.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STUB_MAX 16
#define RELOCATION_CHUNK 512

/* A relocation looked for: the one of this slot, or the one with this number in .rela.plt. */
struct wanted {
	bool by_slot;
	uint64_t slot;
	uint32_t number;
};

static const struct elf_file_section *stub_section(const struct elf_file *elf, uint64_t vaddr)
{
	static const char *const names[] = {".plt", ".plt.sec", ".plt.got", ".plt.bnd", ".iplt"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_file_section *sec = elf_file_section(elf, names[i]);

		if (sec && vaddr >= sec->addr && vaddr - sec->addr < sec->size)
			return sec;
	}
	return NULL;
}

/* .plt.got has stubs of 8 bytes unless they begin with endbr64; all others have 16. */
static size_t stub_size(const struct elf_file *elf, const struct elf_file_section *sec)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	uint8_t first[sizeof(endbr64)];

	if (strcmp(sec->name, ".plt.got"))
		return STUB_MAX;
	return !elf_file_read(elf, sec->offset, first, sizeof(first)) &&
		       !memcmp(first, endbr64, sizeof(first))
		   ? STUB_MAX
		   : STUB_MAX / 2;
}

/* jmp *slot(%rip) anywhere in the stub, else push $number at its start or behind endbr64. */
static bool decode(const uint8_t *stub, size_t n, uint64_t vaddr, struct wanted *wanted)
{
	int32_t relative;

	/* The first entry of a lazy .plt pushes the object's own slot and names nobody. */
	if (n >= 2 && stub[0] == 0xff && stub[1] == 0x35)
		return false;
	for (size_t i = 0; i + 6 <= n; i++) {
		if (stub[i] != 0xff || stub[i + 1] != 0x25)
			continue;
		memcpy(&relative, stub + i + 2, sizeof(relative));
		*wanted = (struct wanted){.by_slot = true,
					  .slot = vaddr + i + 6 + (uint64_t)(int64_t)relative};
		return true;
	}
	for (size_t i = 0; i + 5 <= n && i <= 4; i += 4) {
		if (stub[i] != 0x68)
			continue;
		*wanted = (struct wanted){.by_slot = false};
		memcpy(&wanted->number, stub + i + 1, sizeof(wanted->number));
		return true;
	}
	return false;
}

static int search_relocations(const struct elf_file *elf, const struct elf_file_section *sec,
			      const struct wanted *wanted, Elf64_Rela *found)
{
	Elf64_Rela chunk[RELOCATION_CHUNK];
	uint64_t total = sec->size / sizeof(*chunk);

	if (!wanted->by_slot)
		return wanted->number < total
			   ? elf_file_read(elf, sec->offset + wanted->number * sizeof(*found),
					   found, sizeof(*found))
			   : -ENOENT;
	if (total > SYMBOL_PLT_RELOCATIONS_MAX)
		total = SYMBOL_PLT_RELOCATIONS_MAX;
	for (uint64_t at = 0; at < total; at += RELOCATION_CHUNK) {
		size_t n = total - at < RELOCATION_CHUNK ? total - at : RELOCATION_CHUNK;

		if (elf_file_read(elf, sec->offset + at * sizeof(*chunk), chunk,
				  n * sizeof(*chunk)))
			return -EIO;
		for (size_t i = 0; i < n; i++) {
			if (chunk[i].r_offset == wanted->slot && ELF64_R_SYM(chunk[i].r_info)) {
				*found = chunk[i];
				return 0;
			}
		}
	}
	return -ENOENT;
}

static int name_of(const struct elf_file *elf, const struct elf_file_section *relocations,
		   const Elf64_Rela *rela, char *name, size_t n)
{
	const struct elf_file_section *syms, *strings;
	uint64_t index = ELF64_R_SYM(rela->r_info), left;
	Elf64_Sym sym;

	if (!index || relocations->link >= elf->nsections)
		return -ENOENT;
	syms = &elf->sections[relocations->link];
	if (syms->type != SHT_DYNSYM || index >= syms->size / sizeof(sym) ||
	    syms->link >= elf->nsections)
		return -ENOENT;
	strings = &elf->sections[syms->link];
	if (strings->type != SHT_STRTAB ||
	    elf_file_read(elf, syms->offset + index * sizeof(sym), &sym, sizeof(sym)) ||
	    !sym.st_name || sym.st_name >= strings->size)
		return -ENOENT;
	left = strings->size - sym.st_name;
	if (left >= n)
		left = n - 1;
	if (elf_file_read(elf, strings->offset + sym.st_name, name, left))
		return -ENOENT;
	name[left] = '\0';
	return *name && strlen(name) < n - 1 ? 0 : -ENOENT;
}

/* What the x86-64 stub around vaddr leads to. */
static int decode_at(const struct elf_file *elf, const struct elf_file_section *sec, uint64_t vaddr,
		     struct wanted *wanted)
{
	uint8_t stub[STUB_MAX];
	size_t size = stub_size(elf, sec);
	uint64_t at = (vaddr - sec->addr) / size * size;

	return sec->size - at < size || elf_file_read(elf, sec->offset + at, stub, size) ||
		       !decode(stub, size, sec->addr + at, wanted)
		   ? -ENOENT
		   : 0;
}

int symbol_plt_find(const struct elf_file *elf, uint64_t vaddr, char *name, size_t n)
{
	static const char *const names[] = {".rela.plt", ".rela.dyn"};
	const struct elf_file_section *sec = stub_section(elf, vaddr), *relocations;
	struct wanted wanted = {.by_slot = true};
	Elf64_Rela rela;

	if (!sec)
		return -ENOENT;
	if (elf->machine == EM_AARCH64 ? symbol_plt_aarch64_slot(elf, sec, vaddr, &wanted.slot)
				       : decode_at(elf, sec, vaddr, &wanted))
		return -ENOENT;
	for (size_t i = 0; i < (wanted.by_slot ? 2 : 1); i++) {
		relocations = elf_file_section(elf, names[i]);
		if (relocations && !search_relocations(elf, relocations, &wanted, &rela) &&
		    !name_of(elf, relocations, &rela, name, n))
			return 0;
	}
	return -ENOENT;
}
