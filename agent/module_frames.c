/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .eh_frame as it is, by the program headers or by the section headers; behind it .debug_frame, where
 * there is one, since the first may describe no more than what the linker added.
 *
 * AGENT: called by module.c, once for each object. What it has made is in .eh_frame's form, so that its
 * readers need not know; of two descriptions of a function they take the first.
 */
#include "agent/module_frames.h"

#include "agent/debug_frame.h"
#include "agent/debugfile.h"
#include "agent/ehframe_scan.h"
#include "agent/elf_inflate.h"
#include "agent/log.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Above so many bytes .eh_frame describes more than start-up code: nobody looks how much. */
#define FRAMES_SMALL 65536
#define HDR_SIZE 12
#define HDR_ENTRY 8

/* Bytes of the file from a link-time address to the end of its segment. */
static void copy_to_segment_end(const struct module *m, uint64_t vaddr, uint8_t **bytes,
				size_t *len)
{
	for (size_t i = 0; i < m->elf.nsegments; i++) {
		const struct elf_file_segment *s = &m->elf.segments[i];
		uint64_t at = vaddr - s->vaddr;

		if (s->type != PT_LOAD || vaddr < s->vaddr || at >= s->filesz)
			continue;
		if (!elf_file_copy(&m->elf, s->offset + at, s->filesz - at, MODULE_FRAMES_MAX,
				   bytes))
			*len = s->filesz - at;
		return;
	}
}

static void read_hdr(const struct module *m, struct module_frames *f)
{
	const struct elf_file_section *sec = elf_file_section(&m->elf, ".eh_frame_hdr");
	uint64_t offset = sec ? sec->offset : 0, size = sec ? sec->size : 0;

	f->hdr_vaddr = sec ? sec->addr : 0;
	for (size_t i = 0; i < m->elf.nsegments; i++) {
		const struct elf_file_segment *s = &m->elf.segments[i];

		if (s->type != PT_GNU_EH_FRAME)
			continue;
		f->hdr_vaddr = s->vaddr;
		offset = s->offset;
		size = s->filesz;
		break;
	}
	if (size && !elf_file_copy(&m->elf, offset, size, MODULE_FRAMES_MAX, &f->hdr))
		f->hdr_len = size;
}

static void read_eh_frame(const struct module *m, struct module_frames *f)
{
	const struct elf_file_section *sec = elf_file_section(&m->elf, ".eh_frame");
	int32_t relative;

	read_hdr(m, f);
	if (sec) {
		f->vaddr = sec->addr;
		if (!elf_file_copy(&m->elf, sec->offset, sec->size, MODULE_FRAMES_MAX, &f->bytes))
			f->len = sec->size;
	} else if (f->hdr_len >= 8 && f->hdr[1] == 0x1b) { /* pc-relative, signed, 4 bytes */
		memcpy(&relative, f->hdr + 4, sizeof(relative));
		f->vaddr = f->hdr_vaddr + 4 + (uint64_t)(int64_t)relative;
		copy_to_segment_end(m, f->vaddr, &f->bytes, &f->len);
	}
}

/* Whether less than half of the code is described. */
static bool is_poor(const struct module *m, const struct module_frames *f)
{
	struct ehframe_scan scan;
	struct cfa_bytes record;
	struct ehframe_fde fde;
	uint64_t described = 0;

	if (f->len > FRAMES_SMALL)
		return false;
	if (f->len && !ehframe_scan(&scan, f)) {
		for (size_t i = 0; i < scan.fde_count; i++)
			if (!ehframe_record_at(f, scan.fdes[i].at, &record) &&
			    ehframe_fde_parse(&record, scan.fdes[i].at, f,
					      &scan.cies[scan.fdes[i].cie].cie, &fde))
				described += fde.end - fde.start;
		ehframe_scan_release(&scan);
	} else if (f->len) {
		ehframe_scan_release(&scan);
	}
	return described < m->text_size / 2;
}

static bool read_section(const struct elf_file *elf, uint8_t **bytes, size_t *len)
{
	const struct elf_file_section *sec = elf_file_section(elf, ".debug_frame");

	if (!sec)
		return false;
	if (sec->flags & SHF_COMPRESSED)
		return !elf_inflate(elf, sec, bytes, len);
	*len = sec->size;
	return !elf_file_copy(elf, sec->offset, sec->size, MODULE_FRAMES_MAX, bytes);
}

static bool read_debug_frame(const struct module *m, const struct module_frames *f, uint8_t **bytes,
			     size_t *len)
{
	struct debugfile *file;
	bool found;

	if (read_section(&m->elf, bytes, len))
		return true;
	file = is_poor(m, f) ? malloc(sizeof(*file)) : NULL;
	found = file && !debugfile_open(file, m);
	if (found) {
		log_debug("unwind data of %s: %s", m->path, file->path);
		found = read_section(&file->elf, bytes, len);
		debugfile_release(file);
	}
	free(file);
	return found;
}

/* Where records end: before the terminator, or before what is none. */
static size_t end_of_records(const struct module_frames *f)
{
	struct cfa_bytes record;
	uint64_t at = 0;

	while (!ehframe_record_at(f, at, &record))
		at = (uint64_t)(record.end - f->bytes);
	return at;
}

static void append(const struct module *m, struct module_frames *f, const uint8_t *bytes, size_t len)
{
	size_t own = f->len ? end_of_records(f) : 0, added;
	uint8_t *all = len <= MODULE_FRAMES_MAX / DEBUG_FRAME_GROWTH / 2
			       ? malloc(own + len * DEBUG_FRAME_GROWTH)
			       : NULL;

	if (!all)
		return;
	/* Any address will do that is the object's own in a process. */
	if (!f->len)
		f->vaddr = m->text_vaddr;
	added = debug_frame_transcribe(bytes, len, f->vaddr + own, all + own);
	if (!added) {
		free(all);
		return;
	}
	if (own)
		memcpy(all, f->bytes, own);
	free(f->bytes);
	f->bytes = all;
	f->len = own + added;
	/* Its table does not lead to what is new. */
	free(f->hdr);
	f->hdr = NULL;
	f->hdr_len = 0;
}

static void put_i32(uint8_t *to, uint64_t v)
{
	int32_t narrow = (int32_t)v;

	memcpy(to, &narrow, sizeof(narrow));
}

/* From 32 bits that the table has. */
static bool reaches(const struct module_frames *f, uint64_t vaddr)
{
	int64_t distance = (int64_t)(vaddr - f->vaddr);

	return distance == (int32_t)distance;
}

void module_frames_make_hdr(struct module_frames *f)
{
	/* Version 1; where .eh_frame is: pc-relative; how many: 4 bytes; the table: relative to itself. */
	static const uint8_t head[] = {1, 0x1b, 0x03, 0x3b};
	struct ehframe_scan scan;
	uint32_t count = 0;
	uint8_t *hdr = NULL;

	if (!ehframe_scan(&scan, f) && scan.fde_count)
		hdr = calloc(1, HDR_SIZE + scan.fde_count * HDR_ENTRY);
	for (size_t i = 0; hdr && i < scan.fde_count; i++) {
		uint8_t *entry = hdr + HDR_SIZE + count * HDR_ENTRY;

		/* The first of those that start together. */
		if (!reaches(f, scan.fdes[i].start) ||
		    (i && scan.fdes[i].start == scan.fdes[i - 1].start))
			continue;
		put_i32(entry, scan.fdes[i].start - f->vaddr);
		put_i32(entry + 4, scan.fdes[i].at);
		count++;
	}
	ehframe_scan_release(&scan);
	if (!hdr)
		return;
	memcpy(hdr, head, sizeof(head));
	memcpy(hdr + 8, &count, sizeof(count));
	f->hdr = hdr;
	f->hdr_len = HDR_SIZE + count * HDR_ENTRY;
	f->hdr_vaddr = f->vaddr;
}

void module_frames_read(struct module *m, struct module_frames *f)
{
	uint8_t *bytes;
	size_t len;

	f->machine = m->elf.machine;
	read_eh_frame(m, f);
	if (read_debug_frame(m, f, &bytes, &len)) {
		append(m, f, bytes, len);
		free(bytes);
	}
	if (f->len && !f->hdr_len)
		module_frames_make_hdr(f);
}

void module_frames_release(struct module_frames *f)
{
	free(f->hdr);
	free(f->bytes);
	*f = (struct module_frames){0};
}
