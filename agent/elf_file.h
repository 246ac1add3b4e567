/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 64-bit little-endian ELF file as its headers say, read by hand with every bound checked.
 *
 * AGENT. The file is hostile until proven otherwise, and may be truncated while we hold it, so
 * nothing is mapped: bytes are copied out with pread, and a short read is an error rather than a
 * SIGBUS. libelf is not used here because it trusts more of a file than this process may.
 */
#ifndef SPANPROF_AGENT_ELF_FILE_H
#define SPANPROF_AGENT_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_FILE_SEGMENTS_MAX 256
#define ELF_FILE_SECTIONS_MAX 16384
#define ELF_FILE_NAMES_MAX (1u << 20) /* bytes of section names */
#define ELF_FILE_NOTES_MAX (64u << 10)

struct elf_file_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, filesz, memsz, align;
};

struct elf_file_section {
	const char *name; /* never NULL */
	uint32_t type, link;
	uint64_t flags, addr, offset, size, entsize;
};

struct elf_file {
	int fd;		      /* owned; -1 for an image */
	const uint8_t *image; /* borrowed memory instead of a file */
	uint64_t size;
	uint16_t machine; /* EM_X86_64 or EM_AARCH64 */
	struct elf_file_segment *segments;
	size_t nsegments;
	struct elf_file_section *sections; /* none when the table is absent or broken */
	size_t nsections;
	char *names;
};

/* Take fd over, also when they fail. -ENOEXEC: not an ELF file that we can use. */
int elf_file_open(struct elf_file *elf, int fd);
int elf_file_open_image(struct elf_file *elf, const void *image, size_t size);
void elf_file_release(struct elf_file *elf);

/* Exactly n bytes at offset, or -EIO. */
int elf_file_read(const struct elf_file *elf, uint64_t offset, void *buf, size_t n);

/* The same into fresh memory with one NUL behind it; -EFBIG above max. */
int elf_file_copy(const struct elf_file *elf, uint64_t offset, uint64_t n, uint64_t max,
		  uint8_t **out);

/* First section with this name that has bytes in the file, or NULL. */
const struct elf_file_section *elf_file_section(const struct elf_file *elf, const char *name);

/* The GNU build-id; its length, 0 when there is none, at most max bytes. */
size_t elf_file_build_id(const struct elf_file *elf, uint8_t *id, size_t max);

#endif
