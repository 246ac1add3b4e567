/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .eh_frame_hdr's search table, and the CIE and FDE it leads to, checked instruction by
 * instruction.
 *
 * AGENT: called by unwind_libunwind.c before libunwind sees an FDE. Only what compilers and
 * assemblers for x86-64 and aarch64 emit is let through; anything else costs a frame-pointer step.
 */
#include "agent/fde.h"

#include "agent/ehframe_record.h"

#include <errno.h>
#include <string.h>

#define HDR_SIZE 12 /* version, three encodings, eh_frame_ptr, fde_count */
#define HDR_ENTRY 8
#define FDE_LETTERS_MAX 4

enum { PE_UDATA4 = 0x03, PE_SDATA4 = 0x0b, PE_DATAREL = 0x30 };

static int32_t read_i32(const uint8_t *p)
{
	int32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Link-time address of the last table entry that starts at or before vaddr, or -ENOENT. */
static int search_table(const struct module_frames *f, uint64_t vaddr, uint64_t *fde_vaddr)
{
	int64_t want = (int64_t)(vaddr - f->hdr_vaddr);
	const uint8_t *table;
	size_t lo = 0, hi;

	if (f->hdr_len < HDR_SIZE || f->hdr[0] != 1 || f->hdr[2] != PE_UDATA4 ||
	    f->hdr[3] != (PE_DATAREL | PE_SDATA4))
		return -ENOENT;
	table = f->hdr + HDR_SIZE;
	hi = (uint32_t)read_i32(f->hdr + 8);
	if (hi > (f->hdr_len - HDR_SIZE) / HDR_ENTRY)
		hi = (f->hdr_len - HDR_SIZE) / HDR_ENTRY;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (read_i32(table + mid * HDR_ENTRY) <= want)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return -ENOENT;
	*fde_vaddr = f->hdr_vaddr + (uint64_t)(int64_t)read_i32(table + (lo - 1) * HDR_ENTRY + 4);
	return 0;
}

static bool program_safe(const struct cfa_bytes *program, const struct ehframe_cie *cie)
{
	return cfa_program_safe(program->at, program->end, cie->fde_encoding, FDE_REGISTERS,
				FDE_REMEMBER_MAX);
}

static bool small_record_at(const struct module_frames *f, uint64_t at, struct cfa_bytes *record)
{
	return !ehframe_record_at(f, at, record) && record->end - record->at <= FDE_BYTES_MAX;
}

static bool vet_cie(const struct cfa_bytes *record, struct ehframe_cie *cie)
{
	/* libunwind remembers so many letters of the augmentation, reads none behind one that is new
	 * to it, and indexes by the column. */
	return ehframe_cie_parse(record, cie) && strlen(cie->letters) <= FDE_LETTERS_MAX &&
	       !strpbrk(cie->letters, "BG") && cie->return_column < FDE_REGISTERS &&
	       program_safe(&cie->program, cie);
}

int fde_find(const struct module_frames *frames, uint64_t vaddr, struct fde *fde)
{
	struct cfa_bytes record, cie_record;
	struct ehframe_cie cie;
	struct ehframe_fde parsed;
	uint64_t at, cie_at;
	int err = search_table(frames, vaddr, &fde->vaddr);

	if (err)
		return err;
	at = fde->vaddr - frames->vaddr;
	if (!small_record_at(frames, at, &record) || !ehframe_record_cie(&record, at, &cie_at) ||
	    !small_record_at(frames, cie_at, &cie_record) || !vet_cie(&cie_record, &cie) ||
	    !ehframe_fde_parse(&record, at, frames, &cie, &parsed) ||
	    !program_safe(&parsed.program, &cie))
		return -EBADMSG;
	fde->start = parsed.start;
	fde->end = parsed.end;
	return vaddr >= fde->start && vaddr < fde->end ? 0 : -ENOENT;
}
