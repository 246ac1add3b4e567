/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF headers, segments, sections and notes of an untrusted file.
 *
 * AGENT: called by module.c when an object is first seen, and by the readers of its tables. Keeps
 * the descriptor, because symbols are read much later and the path may by then name another file.
 */
#include "agent/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int elf_file_read(const struct elf_file *elf, uint64_t offset, void *buf, size_t n)
{
	uint8_t *to = buf;

	if (offset > elf->size || n > elf->size - offset)
		return -EIO;
	if (elf->image) {
		memcpy(to, elf->image + offset, n);
		return 0;
	}
	while (n) {
		ssize_t got = pread(elf->fd, to, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) /* truncated since it was opened */
			return -EIO;
		to += got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int elf_file_copy(const struct elf_file *elf, uint64_t offset, uint64_t n, uint64_t max,
		  uint8_t **out)
{
	int err;

	*out = NULL;
	if (n > max)
		return -EFBIG;
	/* Before malloc: a lying header must not cost memory either. */
	if (offset > elf->size || n > elf->size - offset)
		return -EIO;
	*out = malloc(n + 1);
	if (!*out)
		return -ENOMEM;
	(*out)[n] = '\0';
	err = elf_file_read(elf, offset, *out, n);
	if (err) {
		free(*out);
		*out = NULL;
	}
	return err;
}

static bool usable(const Elf64_Ehdr *eh)
{
	return !memcmp(eh->e_ident, ELFMAG, SELFMAG) && eh->e_ident[EI_CLASS] == ELFCLASS64 &&
	       eh->e_ident[EI_DATA] == ELFDATA2LSB &&
	       (eh->e_type == ET_EXEC || eh->e_type == ET_DYN) &&
	       (eh->e_machine == EM_X86_64 || eh->e_machine == EM_AARCH64);
}

/* Ends stay below 2^63, so that whoever rounds or adds a little to them cannot overflow. */
static bool sum_fits(uint64_t start, uint64_t size)
{
	return start <= INT64_MAX && size <= INT64_MAX - start;
}

static int read_segments(struct elf_file *elf, const Elf64_Ehdr *eh)
{
	Elf64_Phdr ph;

	if (eh->e_phentsize != sizeof(ph) || eh->e_phnum > ELF_FILE_SEGMENTS_MAX)
		return -ENOEXEC;
	elf->segments = calloc(eh->e_phnum + 1u, sizeof(*elf->segments));
	if (!elf->segments)
		return -ENOMEM;
	for (size_t i = 0; i < eh->e_phnum; i++) {
		if (eh->e_phoff > elf->size ||
		    elf_file_read(elf, eh->e_phoff + i * sizeof(ph), &ph, sizeof(ph)))
			return -ENOEXEC;
		if (!sum_fits(ph.p_vaddr, ph.p_memsz) || !sum_fits(ph.p_offset, ph.p_filesz))
			continue;
		elf->segments[elf->nsegments++] = (struct elf_file_segment){
		    .type = ph.p_type,
		    .flags = ph.p_flags,
		    .offset = ph.p_offset,
		    .vaddr = ph.p_vaddr,
		    .filesz = ph.p_filesz,
		    .memsz = ph.p_memsz,
		    .align = ph.p_align,
		};
	}
	return 0;
}

static const char *section_name(const struct elf_file *elf, uint64_t names_len, uint32_t at)
{
	return elf->names && at < names_len ? elf->names + at : "";
}

static void fill_sections(struct elf_file *elf, const Elf64_Shdr *sh, size_t n, size_t strndx)
{
	uint8_t *names = NULL;
	uint64_t len = strndx < n ? sh[strndx].sh_size : 0;

	if (len && !elf_file_copy(elf, sh[strndx].sh_offset, len, ELF_FILE_NAMES_MAX, &names))
		elf->names = (char *)names;
	for (size_t i = 0; i < n; i++) {
		elf->sections[i] = (struct elf_file_section){
		    .name = section_name(elf, len, sh[i].sh_name),
		    .type = sh[i].sh_type,
		    .link = sh[i].sh_link,
		    .flags = sh[i].sh_flags,
		    .addr = sh[i].sh_addr,
		    .offset = sh[i].sh_offset,
		    .size = sum_fits(sh[i].sh_addr, sh[i].sh_size) ? sh[i].sh_size : 0,
		    .entsize = sh[i].sh_entsize,
		};
	}
	elf->nsections = n;
}

/* Sections are a convenience: a stripped or broken table leaves a usable object without them. */
static void read_sections(struct elf_file *elf, const Elf64_Ehdr *eh)
{
	size_t n = eh->e_shnum;
	uint8_t *raw;

	if (!n || n > ELF_FILE_SECTIONS_MAX || eh->e_shentsize != sizeof(Elf64_Shdr))
		return;
	if (elf_file_copy(elf, eh->e_shoff, n * sizeof(Elf64_Shdr),
			  ELF_FILE_SECTIONS_MAX * sizeof(Elf64_Shdr), &raw))
		return;
	elf->sections = calloc(n, sizeof(*elf->sections));
	if (elf->sections)
		fill_sections(elf, (const Elf64_Shdr *)raw, n, eh->e_shstrndx);
	free(raw);
}

static int open_common(struct elf_file *elf)
{
	Elf64_Ehdr eh;
	int err = -ENOEXEC;

	if (!elf_file_read(elf, 0, &eh, sizeof(eh)) && usable(&eh)) {
		elf->machine = eh.e_machine;
		err = read_segments(elf, &eh);
	}
	if (err)
		elf_file_release(elf);
	else
		read_sections(elf, &eh);
	return err;
}

int elf_file_open(struct elf_file *elf, int fd)
{
	struct stat st;

	memset(elf, 0, sizeof(*elf));
	elf->fd = fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		elf_file_release(elf);
		return -ENOEXEC;
	}
	elf->size = (uint64_t)st.st_size;
	return open_common(elf);
}

int elf_file_open_image(struct elf_file *elf, const void *image, size_t size)
{
	memset(elf, 0, sizeof(*elf));
	elf->fd = -1;
	elf->image = image;
	elf->size = size;
	return open_common(elf);
}

void elf_file_release(struct elf_file *elf)
{
	free(elf->segments);
	free(elf->sections);
	free(elf->names);
	if (elf->fd >= 0)
		close(elf->fd);
	memset(elf, 0, sizeof(*elf));
	elf->fd = -1;
}

const struct elf_file_section *elf_file_section(const struct elf_file *elf, const char *name)
{
	for (size_t i = 0; i < elf->nsections; i++)
		if (elf->sections[i].type != SHT_NOBITS && !strcmp(elf->sections[i].name, name))
			return &elf->sections[i];
	return NULL;
}

static size_t find_build_id(const uint8_t *notes, size_t n, size_t align, uint8_t *id, size_t max)
{
	Elf64_Nhdr nh;
	size_t at = 0;

	while (at < n && n - at >= sizeof(nh)) {
		size_t name = at + sizeof(nh), desc, next;

		memcpy(&nh, notes + at, sizeof(nh));
		/* n is at most 64 KiB, so lengths below it cannot overflow the sums. */
		if (nh.n_namesz > n || nh.n_descsz > n)
			return 0;
		desc = (name + nh.n_namesz + align - 1) / align * align;
		next = (desc + nh.n_descsz + align - 1) / align * align;
		if (desc > n || nh.n_descsz > n - desc)
			return 0;
		if (nh.n_type == NT_GNU_BUILD_ID && nh.n_namesz == 4 &&
		    !memcmp(notes + name, "GNU", 4) && nh.n_descsz <= max) {
			memcpy(id, notes + desc, nh.n_descsz);
			return nh.n_descsz;
		}
		at = next;
	}
	return 0;
}

static size_t build_id_at(const struct elf_file *elf, uint64_t offset, uint64_t size, size_t align,
			  uint8_t *id, size_t max)
{
	uint8_t *notes;
	size_t len;

	if (elf_file_copy(elf, offset, size, ELF_FILE_NOTES_MAX, &notes))
		return 0;
	len = find_build_id(notes, size, align, id, max);
	free(notes);
	return len;
}

size_t elf_file_build_id(const struct elf_file *elf, uint8_t *id, size_t max)
{
	const struct elf_file_section *sec = elf_file_section(elf, ".note.gnu.build-id");
	size_t len = 0;

	for (size_t i = 0; i < elf->nsegments && !len; i++) {
		const struct elf_file_segment *s = &elf->segments[i];

		/* .note.gnu.property pads to 8; everything else to 4, whatever it declares. */
		if (s->type == PT_NOTE)
			len =
			    build_id_at(elf, s->offset, s->filesz, s->align == 8 ? 8 : 4, id, max);
	}
	if (!len && sec)
		len = build_id_at(elf, sec->offset, sec->size, 4, id, max);
	return len;
}
