/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object.c - describes a loaded object by its program headers, and by the build-id that lies in its
 * memory: a path may name another file by the time somebody looks. APP.
 */
#include <elf.h>
#include <string.h>

#include "shim/object.h"

#define OBJECT_PAGE 4096UL

/* Notes are in a segment that the loader has mapped; each is a header, a name and the bytes, padded. */
static void read_notes(struct feed_object *o, const uint8_t *at, size_t left)
{
	while (left >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *n = (const ElfW(Nhdr) *)at;
		size_t name = (n->n_namesz + 3UL) & ~3UL, size = (n->n_descsz + 3UL) & ~3UL;

		if (name > left - sizeof(*n) || size > left - sizeof(*n) - name)
			return;
		if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 &&
		    memcmp(at + sizeof(*n), "GNU", 4) == 0 && n->n_descsz &&
		    n->n_descsz <= sizeof(o->build_id)) {
			o->build_id_size = n->n_descsz;
			memcpy(o->build_id, at + sizeof(*n) + name, n->n_descsz);
			return;
		}
		at += sizeof(*n) + name + size;
		left -= sizeof(*n) + name + size;
	}
}

static void add_segment(struct feed_object *o, uint64_t base, const ElfW(Phdr) *ph)
{
	uint64_t start = (base + ph->p_vaddr) & ~(OBJECT_PAGE - 1);
	uint64_t end = (base + ph->p_vaddr + ph->p_memsz + OBJECT_PAGE - 1) & ~(OBJECT_PAGE - 1);

	if (!o->end || start < o->start)
		o->start = start;
	if (end > o->end)
		o->end = end;
	if (!(ph->p_flags & PF_X) || o->text_end)
		return;
	o->text_start = start;
	o->text_end = end;
	o->text_offset = ph->p_offset & ~(OBJECT_PAGE - 1);
}

void object_describe(struct feed_object *o, const struct dl_phdr_info *info)
{
	size_t length = info->dlpi_name ? strlen(info->dlpi_name) : 0;

	memset(o, 0, sizeof(*o));
	if (length < sizeof(o->path))
		memcpy(o->path, info->dlpi_name ? info->dlpi_name : "", length);
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_LOAD)
			add_segment(o, info->dlpi_addr, ph);
		else if (ph->p_type == PT_NOTE && !o->build_id_size && ph->p_align <= 4)
			read_notes(o, (const uint8_t *)(info->dlpi_addr + ph->p_vaddr), ph->p_memsz);
	}
}
