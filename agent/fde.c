/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .eh_frame_hdr's search table, and the CIE and FDE it leads to, checked byte by byte.
 *
 * AGENT: called by unwind_libunwind.c before libunwind sees an FDE. Only what compilers and
 * assemblers for x86-64 and aarch64 emit is let through; anything else costs a frame-pointer step.
 */
#include "agent/fde.h"

#include "agent/cfa_program.h"

#include <errno.h>
#include <string.h>

#define HDR_SIZE 12 /* version, three encodings, eh_frame_ptr, fde_count */
#define HDR_ENTRY 8

enum {
	PE_ABSPTR = 0x00,
	PE_UDATA4 = 0x03,
	PE_SDATA4 = 0x0b,
	PE_PCREL = 0x10,
	PE_DATAREL = 0x30,
	PE_OMIT = 0xff,
};

struct cie {
	uint8_t fde_encoding, lsda_encoding;
	bool augmented;
};

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

/* The CIE or FDE at offset at: its bytes behind the 4-byte length. 64-bit DWARF is not let in. */
static int record_at(const struct module_frames *f, uint64_t at, struct cfa_bytes *b)
{
	uint32_t len;

	if (at > f->len || f->len - at < 8)
		return -EBADMSG;
	len = (uint32_t)read_i32(f->bytes + at);
	if (len < 4 || len > FDE_BYTES_MAX || len > f->len - at - 4)
		return -EBADMSG;
	b->at = f->bytes + at + 4;
	b->end = b->at + len;
	return 0;
}

static bool pointer_size(uint8_t encoding, size_t *size)
{
	/* Format in the low half; the application may be absolute or pc-relative, nothing else. */
	static const uint8_t sizes[16] = {
	    [0x0] = 8, [0x2] = 2, [0x3] = 4, [0x4] = 8, [0xa] = 2, [0xb] = 4, [0xc] = 8,
	};

	*size = sizes[encoding & 0x0f];
	return *size && (encoding & 0x70) <= PE_PCREL;
}

static bool skip_pointer(struct cfa_bytes *b, uint8_t encoding)
{
	size_t size;

	if (encoding == PE_OMIT)
		return true;
	return pointer_size(encoding, &size) && cfa_skip(b, size);
}

/*
 * libunwind takes the instructions to begin where the letters that it knows end, whatever the
 * declared length says, and remembers four letters: so the two must agree.
 */
static bool parse_augmentation(struct cfa_bytes *b, const char *letters, struct cie *cie)
{
	const uint8_t *end;
	uint64_t size;
	uint8_t personality;

	if (!cfa_uleb(b, &size) || size > (uint64_t)(b->end - b->at))
		return false;
	end = b->at + size;
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			if (!cfa_u8(b, &cie->fde_encoding))
				return false;
			break;
		case 'L':
			if (!cfa_u8(b, &cie->lsda_encoding))
				return false;
			break;
		case 'P':
			if (!cfa_u8(b, &personality) || !skip_pointer(b, personality))
				return false;
			break;
		case 'S':
			break;
		default:
			return false;
		}
	}
	return b->at == end;
}

static bool parse_cie(struct cfa_bytes *b, struct cie *cie)
{
	uint64_t code_align, data_align, column;
	const char *letters;
	uint8_t version, byte;

	*cie = (struct cie){.fde_encoding = PE_ABSPTR, .lsda_encoding = PE_OMIT};
	if (read_i32(b->at) != 0 || !cfa_skip(b, 4) || !cfa_u8(b, &version) ||
	    (version != 1 && version != 3))
		return false;
	letters = (const char *)b->at;
	if (!memchr(letters, '\0', (size_t)(b->end - b->at)) || strlen(letters) > 4 ||
	    !cfa_skip(b, strlen(letters) + 1))
		return false;
	if (!cfa_uleb(b, &code_align) || !cfa_uleb(b, &data_align))
		return false;
	if (version == 1 ? !cfa_u8(b, &byte) : !cfa_uleb(b, &column))
		return false;
	if ((version == 1 ? byte : column) >= FDE_REGISTERS)
		return false;
	cie->augmented = letters[0] == 'z';
	if (letters[0] && (!cie->augmented || !parse_augmentation(b, letters + 1, cie)))
		return false;
	return cfa_program_safe(b->at, b->end, cie->fde_encoding, FDE_REGISTERS, FDE_REMEMBER_MAX);
}

static bool read_pointer(struct cfa_bytes *b, uint8_t encoding, uint64_t vaddr, uint64_t *out)
{
	uint64_t v = 0;
	size_t size;

	if ((encoding & 0x80) || !pointer_size(encoding, &size) ||
	    (uint64_t)(b->end - b->at) < size)
		return false;
	memcpy(&v, b->at, size);
	b->at += size;
	if ((encoding & 0x08) && size < 8 && v >> (8 * size - 1))
		v |= UINT64_MAX << (8 * size);
	/* libunwind's rule, as GCC's: zero is absolute. */
	*out = v && (encoding & 0x70) == PE_PCREL ? v + vaddr : v;
	return true;
}

static bool parse_fde(struct cfa_bytes *b, uint64_t b_vaddr, const struct cie *cie, struct fde *fde)
{
	const uint8_t *first = b->at, *augmentation_end;
	uint64_t range, size;

	if (!cfa_skip(b, 4) ||
	    !read_pointer(b, cie->fde_encoding, b_vaddr + (uint64_t)(b->at - first), &fde->start) ||
	    !read_pointer(b, cie->fde_encoding & 0x0f, 0, &range) ||
	    range > UINT64_MAX - fde->start)
		return false;
	fde->end = fde->start + range;
	if (cie->augmented) {
		if (!cfa_uleb(b, &size) || size > (uint64_t)(b->end - b->at))
			return false;
		augmentation_end = b->at + size;
		if (!skip_pointer(b, cie->lsda_encoding) || b->at > augmentation_end)
			return false;
		b->at = augmentation_end;
	}
	return cfa_program_safe(b->at, b->end, cie->fde_encoding, FDE_REGISTERS, FDE_REMEMBER_MAX);
}

int fde_find(const struct module_frames *frames, uint64_t vaddr, struct fde *fde)
{
	struct cfa_bytes record, cie_record;
	struct cie cie;
	uint64_t at, back;
	int err = search_table(frames, vaddr, &fde->vaddr);

	if (err)
		return err;
	at = fde->vaddr - frames->vaddr;
	if (record_at(frames, at, &record))
		return -EBADMSG;
	/* The CIE lies this far before the field that says so; 0 would be a CIE. */
	back = (uint32_t)read_i32(record.at);
	if (!back || back > at + 4 || record_at(frames, at + 4 - back, &cie_record) ||
	    !parse_cie(&cie_record, &cie) || !parse_fde(&record, frames->vaddr + at + 4, &cie, fde))
		return -EBADMSG;
	return vaddr >= fde->start && vaddr < fde->end ? 0 : -ENOENT;
}
