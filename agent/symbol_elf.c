/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads .symtab or .dynsym of an untrusted file into a sorted table.
 *
 * AGENT: called by symbol_source.c when a sample first falls into an object. Knows names and
 * extents only; demangling, lines and fallback names are other files' business.
 */
#include "agent/symbol_elf.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL_ELF_CHUNK 1024 /* symbols read at once */
#define VDSO "__vdso_"
#define RANKED_CHARS 256      /* of a name: a hostile file has millions of huge ones */

struct candidate {
	uint64_t start, end; /* end == start: no size given */
	uint64_t section_end;
	uint32_t name;
	uint8_t binding, type;
};

struct loader {
	const struct elf_file *elf;
	const struct symbol_elf *table;
	struct candidate *found;
	size_t count, room;
};

static const struct elf_file_section *section_of_type(const struct elf_file *elf, uint32_t type)
{
	for (size_t i = 0; i < elf->nsections; i++)
		if (elf->sections[i].type == type && elf->sections[i].size)
			return &elf->sections[i];
	return NULL;
}

/* Untyped symbols name hand-written code when they have a size, and mere positions when not. */
static bool names_code(const struct loader *l, const Elf64_Sym *sym)
{
	const struct elf_file_section *sec;
	int type = ELF64_ST_TYPE(sym->st_info);

	if (type != STT_FUNC && type != STT_GNU_IFUNC && !(type == STT_NOTYPE && sym->st_size))
		return false;
	if (sym->st_shndx >= l->elf->nsections || !sym->st_name ||
	    sym->st_name >= l->table->strings_len ||
	    (l->table->strings && !l->table->strings[sym->st_name]))
		return false;
	sec = &l->elf->sections[sym->st_shndx];
	return (sec->flags & SHF_EXECINSTR) && sym->st_value >= sec->addr &&
	       sym->st_value - sec->addr < sec->size;
}

static int add(struct loader *l, const Elf64_Sym *sym)
{
	const struct elf_file_section *sec = &l->elf->sections[sym->st_shndx];
	uint64_t section_end = sec->addr + sec->size;
	uint64_t left = section_end - sym->st_value;

	if (l->count == l->room) {
		size_t room = l->room ? l->room * 2 : 256;
		void *bigger = realloc(l->found, room * sizeof(*l->found));

		if (!bigger)
			return -ENOMEM;
		l->found = bigger;
		l->room = room;
	}
	l->found[l->count++] = (struct candidate){
	    .start = sym->st_value,
	    .end = sym->st_value + (sym->st_size < left ? sym->st_size : left),
	    .section_end = section_end,
	    .name = sym->st_name,
	    .binding = ELF64_ST_BIND(sym->st_info),
	    .type = ELF64_ST_TYPE(sym->st_info),
	};
	return 0;
}

static int scan(struct loader *l, const struct elf_file_section *sec)
{
	Elf64_Sym chunk[SYMBOL_ELF_CHUNK];
	uint64_t total = sec->size / sizeof(chunk[0]);
	int err = 0;

	if (total > SYMBOL_ELF_SCAN_MAX)
		total = SYMBOL_ELF_SCAN_MAX;
	for (uint64_t at = 0; at < total && !err; at += SYMBOL_ELF_CHUNK) {
		size_t n = total - at < SYMBOL_ELF_CHUNK ? total - at : SYMBOL_ELF_CHUNK;

		err = elf_file_read(l->elf, sec->offset + at * sizeof(chunk[0]), chunk,
				    n * sizeof(chunk[0]));
		for (size_t i = 0; i < n && !err && l->count < SYMBOL_ELF_MAX; i++)
			if (names_code(l, &chunk[i]))
				err = add(l, &chunk[i]);
	}
	return err;
}

static size_t underscores(const char *name)
{
	size_t n = 0;

	while (n < RANKED_CHARS && name[n] == '_')
		n++;
	return n;
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/*
 * By address, and of several names of one address the best first: typed over untyped, any
 * visible one over a local one, then the fewest leading underscores, because the documented name
 * is often the weak alias (read, not __read; but of the vDSO's, which libc's function calls that has
 * the name without it, the longer one), then global over weak, shorter, alphabetical.
 * Names that are not in memory do not take part.
 */
static int by_address_then_worth(const void *pa, const void *pb, void *arg)
{
	const struct candidate *a = pa, *b = pb;
	const char *na = arg ? (const char *)arg + a->name : "";
	const char *nb = arg ? (const char *)arg + b->name : "";
	int c = compare(a->start, b->start);

	c = c ? c : compare(a->type == STT_NOTYPE, b->type == STT_NOTYPE);
	c = c ? c : compare(a->binding == STB_LOCAL, b->binding == STB_LOCAL);
	if (c)
		return c;
	c = compare(strncmp(na, VDSO, sizeof(VDSO) - 1) != 0, strncmp(nb, VDSO, sizeof(VDSO) - 1) != 0);
	c = c ? c : compare(underscores(na), underscores(nb));
	c = c ? c : compare(a->binding == STB_WEAK, b->binding == STB_WEAK);
	c = c ? c : compare(strnlen(na, RANKED_CHARS), strnlen(nb, RANKED_CHARS));
	return c ? c : strncmp(na, nb, RANKED_CHARS);
}

/* One entry an address; a size missing from the best name is taken from its aliases. */
static void merge(struct loader *l, struct symbol_elf *table)
{
	struct candidate *f = l->found;

	for (size_t i = 0, next; i < l->count; i = next) {
		uint64_t end = f[i].end;

		for (next = i + 1; next < l->count && f[next].start == f[i].start; next++)
			if (f[i].end == f[i].start && f[next].end > end)
				end = f[next].end;
		if (end == f[i].start) {
			end = f[i].section_end;
			if (next < l->count && f[next].start < end)
				end = f[next].start;
		}
		table->entries[table->count++] = (struct symbol_elf_entry){
		    .start = f[i].start,
		    .end = end,
		    .name = f[i].name,
		};
	}
}

/* The latest entry before each one that is still open there: where a lookup looks next. */
static void nest(struct symbol_elf *table)
{
	uint32_t open = SYMBOL_ELF_NONE;

	for (size_t i = 0; i < table->count; i++) {
		while (open != SYMBOL_ELF_NONE &&
		       table->entries[open].end <= table->entries[i].start)
			open = table->entries[open].enclosing;
		table->entries[i].enclosing = open;
		open = (uint32_t)i;
	}
}

static int read_strings(struct symbol_elf *table, const struct elf_file *elf,
			const struct elf_file_section *sec)
{
	const struct elf_file_section *str;
	uint8_t *bytes;
	int err;

	if (sec->link >= elf->nsections)
		return -ENOEXEC;
	str = &elf->sections[sec->link];
	if (str->type != SHT_STRTAB)
		return -ENOEXEC;
	err = elf_file_copy(elf, str->offset, str->size, SYMBOL_ELF_STRINGS_MAX, &bytes);
	table->strings = (char *)bytes;
	table->strings_offset = str->offset;
	table->strings_len = str->size;
	return err == -EFBIG ? 0 : err;
}

int symbol_elf_load(struct symbol_elf *table, const struct elf_file *elf, uint32_t type)
{
	struct loader l = {.elf = elf, .table = table};
	const struct elf_file_section *sec = section_of_type(elf, type);
	int err;

	memset(table, 0, sizeof(*table));
	if (!sec)
		return 0;
	table->elf = elf;
	err = read_strings(table, elf, sec);
	if (!err)
		err = scan(&l, sec);
	if (err)
		goto out;
	table->entries = calloc(l.count + 1, sizeof(*table->entries));
	if (!table->entries) {
		err = -ENOMEM;
		goto out;
	}
	if (l.count)
		qsort_r(l.found, l.count, sizeof(*l.found), by_address_then_worth, table->strings);
	merge(&l, table);
	nest(table);
out:
	free(l.found);
	if (err)
		symbol_elf_release(table);
	return err;
}

void symbol_elf_release(struct symbol_elf *table)
{
	free(table->entries);
	free(table->strings);
	free(table->name);
	memset(table, 0, sizeof(*table));
}

size_t symbol_elf_bytes(const struct symbol_elf *table)
{
	return table->count * sizeof(*table->entries) + (table->strings ? table->strings_len : 0) +
	       (table->name ? SYMBOL_ELF_NAME_MAX + 2 : 0);
}

const struct symbol_elf_entry *symbol_elf_find(const struct symbol_elf *table, uint64_t vaddr)
{
	size_t lo = 0, hi = table->count;
	uint32_t at;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (table->entries[mid].start <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	at = lo ? (uint32_t)(lo - 1) : SYMBOL_ELF_NONE;
	for (int i = 0; i < SYMBOL_ELF_NEST_MAX && at != SYMBOL_ELF_NONE; i++) {
		if (vaddr < table->entries[at].end)
			return &table->entries[at];
		at = table->entries[at].enclosing;
	}
	return NULL;
}

/* A copy out of the file, as much of it as a name may be long. */
static char *read_name(struct symbol_elf *table, uint32_t at)
{
	uint64_t left = table->strings_len - at;
	size_t n = left < SYMBOL_ELF_NAME_MAX + 1 ? (size_t)left : SYMBOL_ELF_NAME_MAX + 1;

	if (!table->name)
		table->name = malloc(SYMBOL_ELF_NAME_MAX + 2);
	if (!table->name || elf_file_read(table->elf, table->strings_offset + at, table->name, n))
		return NULL;
	table->name[n] = '\0';
	return table->name;
}

const char *symbol_elf_name(struct symbol_elf *table, const struct symbol_elf_entry *entry)
{
	char *name = table->strings ? table->strings + entry->name : read_name(table, entry->name);
	size_t n = name ? strnlen(name, SYMBOL_ELF_NAME_MAX + 1) : 0;
	char *at = n ? memchr(name, '@', n) : NULL;

	/* "memcpy@@GLIBC_2.14" in .symtab: the version is not part of the function's name. */
	if (at > name)
		*at = '\0';
	return n && (at > name || n <= SYMBOL_ELF_NAME_MAX) ? name : NULL;
}

bool symbol_elf_any(const struct symbol_elf *table, const char *prefix)
{
	size_t n = strlen(prefix);

	for (size_t i = 0; table->strings && i < table->count; i++)
		if (!strncmp(table->strings + table->entries[i].name, prefix, n))
			return true;
	return false;
}
