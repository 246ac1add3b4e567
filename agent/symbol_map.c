/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vets the headers of an ELF file, maps or copies it, and survives its truncation.
 *
 * AGENT: called by symbol_dwarf.c and debugfile.c. The signal handler here touches nothing but a
 * table of its own and mmap.
 */
#include "agent/symbol_map.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_PAGE 4096	 /* the smallest page; the kernel refuses a start that is none of its own */
#define ZDEBUG_HEADER 12 /* "ZLIB" and a big-endian size: what .zdebug_* sections begin with */

/* Files that are mapped: written by the one thread, read by its own SIGBUS handler. */
static struct mapped {
	_Atomic uintptr_t start, end; /* 0: free */
	_Atomic bool broken;
} mapped[SYMBOL_MAP_FILES_MAX];
static struct sigaction before;

static void on_bus(int signal, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr, page = at / MAP_PAGE * MAP_PAGE;

	for (int i = 0; i < SYMBOL_MAP_FILES_MAX; i++) {
		if (at < atomic_load(&mapped[i].start) || at >= atomic_load(&mapped[i].end))
			continue;
		if (mmap((void *)page, MAP_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			break;
		atomic_store(&mapped[i].broken, true);
		return;
	}
	/* Not ours: the access is repeated, and whoever was there before us deals with it. */
	sigaction(SIGBUS, &before, NULL);
}

/* Looked at for each file: a library may have put another handler in our place. */
static void handle_bus(void)
{
	struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO}, now;

	if (sigaction(SIGBUS, NULL, &now) == 0 && now.sa_sigaction != on_bus)
		sigaction(SIGBUS, &action, &before);
}

/* A file being vetted: its copy if there is one, else through its descriptor. */
struct source {
	int fd;
	const uint8_t *copy;
	uint64_t size;
};

static bool within(uint64_t offset, uint64_t n, uint64_t size)
{
	return offset <= size && n <= size - offset;
}

static int read_at(const struct source *s, uint64_t offset, void *buf, size_t n)
{
	uint8_t *to = buf;

	if (!within(offset, n, s->size))
		return -ENOEXEC;
	if (s->copy) {
		memcpy(to, s->copy + offset, n);
		return 0;
	}
	while (n) {
		ssize_t got = pread(s->fd, to, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -ENOEXEC;
		to += got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static bool header_fits(const Elf64_Ehdr *eh, uint64_t size, bool any_type)
{
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_ident[EI_DATA] != ELFDATA2LSB || eh->e_ident[EI_VERSION] != EV_CURRENT ||
	    eh->e_version != EV_CURRENT || eh->e_ehsize != sizeof(*eh) ||
	    (eh->e_machine != EM_X86_64 && eh->e_machine != EM_AARCH64))
		return false;
	if (eh->e_type != ET_EXEC && eh->e_type != ET_DYN &&
	    !(any_type && eh->e_type == ET_REL && !eh->e_phnum))
		return false;
	if (eh->e_phnum &&
	    (eh->e_phnum == PN_XNUM || eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phoff % 8 ||
	     !within(eh->e_phoff, eh->e_phnum * sizeof(Elf64_Phdr), size)))
		return false;
	return eh->e_shnum && eh->e_shnum <= SYMBOL_MAP_SECTIONS_MAX &&
	       eh->e_shentsize == sizeof(Elf64_Shdr) && eh->e_shoff % 8 == 0 &&
	       eh->e_shstrndx < eh->e_shnum &&
	       within(eh->e_shoff, eh->e_shnum * sizeof(Elf64_Shdr), size);
}

/* What the section says it is when inflated; 0 when it is not compressed. */
static int inflated_size(const struct source *s, const Elf64_Shdr *sh, uint64_t *size)
{
	Elf64_Chdr chdr;
	uint8_t old[ZDEBUG_HEADER];
	int err;

	*size = 0;
	if (sh->sh_flags & SHF_COMPRESSED) {
		if (sh->sh_size < sizeof(chdr))
			return -ENOEXEC;
		err = read_at(s, sh->sh_offset, &chdr, sizeof(chdr));
		*size = err ? 0 : chdr.ch_size;
		return err;
	}
	if (sh->sh_type != SHT_PROGBITS || sh->sh_flags & SHF_ALLOC || sh->sh_size < sizeof(old))
		return 0;
	err = read_at(s, sh->sh_offset, old, sizeof(old));
	if (!err && !memcmp(old, "ZLIB", 4)) {
		memcpy(size, old + 4, sizeof(*size));
		*size = be64toh(*size);
	}
	return err;
}

static int vet_sections(const struct source *s, const Elf64_Shdr *sh, size_t n, size_t *cost)
{
	uint64_t inflated;
	int err;

	for (size_t i = 0; i < n; i++) {
		if (sh[i].sh_type == SHT_NOBITS || sh[i].sh_type == SHT_NULL)
			continue;
		if (!within(sh[i].sh_offset, sh[i].sh_size, s->size))
			return -ENOEXEC;
		err = inflated_size(s, &sh[i], &inflated);
		if (err)
			return err;
		if (inflated > SYMBOL_MAP_INFLATE_MAX || *cost + inflated > SYMBOL_MAP_INFLATE_MAX)
			return -EFBIG;
		*cost += inflated;
	}
	return 0;
}

static int vet(const struct source *s, bool any_type, size_t *cost)
{
	Elf64_Ehdr eh;
	Elf64_Shdr *sh;
	int err;

	if (read_at(s, 0, &eh, sizeof(eh)) || !header_fits(&eh, s->size, any_type))
		return -ENOEXEC;
	sh = calloc(eh.e_shnum, sizeof(*sh));
	if (!sh)
		return -ENOMEM;
	err = read_at(s, eh.e_shoff, sh, eh.e_shnum * sizeof(*sh));
	if (!err && sh[eh.e_shstrndx].sh_type != SHT_STRTAB)
		err = -ENOEXEC;
	if (!err)
		err = vet_sections(s, sh, eh.e_shnum, cost);
	free(sh);
	return err;
}

/* Only its owner, root and ourselves write to it, and those need no bug of a library's to harm us.
 */
static bool stays_the_same(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & S_IWOTH);
}

static int map_file(struct symbol_map *map, int fd)
{
	int slot = 0;
	void *base;

	while (slot < SYMBOL_MAP_FILES_MAX && atomic_load(&mapped[slot].end))
		slot++;
	if (slot == SYMBOL_MAP_FILES_MAX)
		return -EMFILE;
	base = mmap(NULL, map->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	handle_bus();
	map->base = base;
	map->slot = slot;
	atomic_store(&mapped[slot].broken, false);
	atomic_store(&mapped[slot].start, (uintptr_t)base);
	/* To the end of the last page: a length that is none of whole pages ends within one. */
	atomic_store(&mapped[slot].end,
		     ((uintptr_t)base + map->size + MAP_PAGE - 1) / MAP_PAGE * MAP_PAGE);
	return 0;
}

static int copy_file(struct symbol_map *map, int fd)
{
	struct source file = {.fd = fd, .size = map->size};
	int err;

	if (map->size > SYMBOL_MAP_COPY_MAX)
		return -EFBIG;
	map->base = malloc(map->size);
	if (!map->base)
		return -ENOMEM;
	err = read_at(&file, 0, map->base, map->size);
	if (err) {
		free(map->base);
		map->base = NULL;
	}
	return err;
}

/* The common files of dwz are relocatable without relocations; nobody need know. */
static void look_loadable(struct symbol_map *map)
{
	Elf64_Ehdr *eh = (Elf64_Ehdr *)map->base;

	if (eh->e_type == ET_REL) {
		eh->e_type = ET_DYN;
		eh->e_phentsize = sizeof(Elf64_Phdr);
	}
}

int symbol_map_open(struct symbol_map *map, int fd, bool any_type)
{
	struct source source = {.fd = fd};
	struct stat st;
	int err = 0;

	*map = (struct symbol_map){.slot = -1};
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return -ENOEXEC;
	map->size = (size_t)st.st_size;
	/* What may change is copied before it is vetted. */
	if (!stays_the_same(&st))
		err = copy_file(map, fd);
	source.copy = map->base;
	source.size = map->size;
	if (!err)
		err = vet(&source, any_type, &map->cost);
	if (!err && !map->base)
		err = map_file(map, fd);
	if (err) {
		symbol_map_release(map);
		return err;
	}
	if (map->slot < 0)
		map->cost += map->size;
	look_loadable(map);
	return 0;
}

void symbol_map_release(struct symbol_map *map)
{
	if (map->base && map->slot >= 0) {
		atomic_store(&mapped[map->slot].start, 0);
		munmap(map->base, map->size);
		atomic_store(&mapped[map->slot].end, 0);
	} else {
		free(map->base);
	}
	*map = (struct symbol_map){.slot = -1};
}

bool symbol_map_broken(const struct symbol_map *map)
{
	return map->base && map->slot >= 0 && atomic_load(&mapped[map->slot].broken);
}
