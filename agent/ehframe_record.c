/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CIE and FDE headers, byte by byte (DWARF 5, 6.4.1, as the LSB's .eh_frame changes it).
 *
 * AGENT: called by fde.c and ehframe.c. Only what compilers, assemblers and linkers for x86-64 and
 * aarch64 emit is let through: versions 1 and 3, no augmentation or "z" with the letters below, and
 * pointers of a fixed size, absolute or pc-relative. The "eh" of GCC 2 is not.
 */
#include "agent/ehframe_record.h"

#include <errno.h>
#include <string.h>

enum {
	PE_ABSPTR = 0x00,
	PE_SIGNED = 0x08,
	PE_PCREL = 0x10,
	PE_APPLICATION = 0x70,
	PE_INDIRECT = 0x80,
	PE_OMIT = 0xff,
};

static uint32_t read_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

int ehframe_record_at(const struct module_frames *f, uint64_t at, struct cfa_bytes *record)
{
	uint32_t len;

	if (at > f->len || f->len - at < 4)
		return -EBADMSG;
	len = read_u32(f->bytes + at);
	if (!len)
		return -ENODATA;
	if (len < 4 || len > f->len - at - 4)
		return -EBADMSG;
	record->at = f->bytes + at + 4;
	record->end = record->at + len;
	return 0;
}

bool ehframe_record_cie(const struct cfa_bytes *record, uint64_t at, uint64_t *cie_at)
{
	/* The CIE lies this far before the field that says so. */
	uint32_t back = read_u32(record->at);

	*cie_at = at + 4 - back;
	return back && back <= at + 4;
}

static bool skip_pointer(struct cfa_bytes *b, uint8_t encoding)
{
	size_t size = cfa_pointer_size(encoding);

	if (encoding == PE_OMIT)
		return true;
	return size && (encoding & PE_APPLICATION) <= PE_PCREL && cfa_skip(b, size);
}

/*
 * libunwind takes the instructions to begin where the letters that it knows end, whatever the
 * declared length says: so the two must agree.
 */
static bool parse_augmentation(struct cfa_bytes *b, const char *letters, struct ehframe_cie *cie)
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
			cie->signal = true;
			break;
		case 'B': /* aarch64: return addresses are signed by the other key */
		case 'G': /* aarch64: the stack is tagged */
			break;
		default:
			return false;
		}
	}
	return b->at == end;
}

bool ehframe_cie_parse(const struct cfa_bytes *record, struct ehframe_cie *cie)
{
	struct cfa_bytes b = *record;
	uint8_t version, byte;

	*cie = (struct ehframe_cie){.fde_encoding = PE_ABSPTR, .lsda_encoding = PE_OMIT};
	if (read_u32(b.at) != 0 || !cfa_skip(&b, 4) || !cfa_u8(&b, &version) ||
	    (version != 1 && version != 3))
		return false;
	cie->letters = (const char *)b.at;
	if (!memchr(b.at, '\0', (size_t)(b.end - b.at)) || !cfa_skip(&b, strlen(cie->letters) + 1))
		return false;
	if (!cfa_uleb(&b, &cie->code_align) || !cfa_sleb(&b, &cie->data_align))
		return false;
	if (version == 1) {
		if (!cfa_u8(&b, &byte))
			return false;
		cie->return_column = byte;
	} else if (!cfa_uleb(&b, &cie->return_column)) {
		return false;
	}
	cie->augmented = cie->letters[0] == 'z';
	if (cie->letters[0] && (!cie->augmented || !parse_augmentation(&b, cie->letters + 1, cie)))
		return false;
	cie->program = b;
	return true;
}

bool ehframe_pointer(struct cfa_bytes *b, uint8_t encoding, uint64_t vaddr, uint64_t *out)
{
	size_t size = cfa_pointer_size(encoding);
	uint64_t v = 0;

	if ((encoding & PE_INDIRECT) || (encoding & PE_APPLICATION) > PE_PCREL || !size ||
	    (uint64_t)(b->end - b->at) < size)
		return false;
	memcpy(&v, b->at, size);
	b->at += size;
	if ((encoding & PE_SIGNED) && size < 8 && v >> (8 * size - 1))
		v |= UINT64_MAX << (8 * size);
	/* libunwind's rule, as GCC's: zero is absolute. */
	*out = v && (encoding & PE_APPLICATION) == PE_PCREL ? v + vaddr : v;
	return true;
}

bool ehframe_fde_parse(const struct cfa_bytes *record, uint64_t at,
		       const struct module_frames *frames, const struct ehframe_cie *cie,
		       struct ehframe_fde *fde)
{
	struct cfa_bytes b = *record;
	const uint8_t *augmentation_end;
	uint64_t range, size;

	/* at + 4 is the record's address: the pointer lies behind the length and the CIE's offset.
	 */
	if (!cfa_skip(&b, 4) ||
	    !ehframe_pointer(&b, cie->fde_encoding, frames->vaddr + at + 8, &fde->start) ||
	    !ehframe_pointer(&b, cie->fde_encoding & 0x0f, 0, &range) ||
	    range > UINT64_MAX - fde->start)
		return false;
	fde->end = fde->start + range;
	if (cie->augmented) {
		if (!cfa_uleb(&b, &size) || size > (uint64_t)(b.end - b.at))
			return false;
		augmentation_end = b.at + size;
		if (!skip_pointer(&b, cie->lsda_encoding) || b.at > augmentation_end)
			return false;
		b.at = augmentation_end;
	}
	fde->program = b;
	return true;
}
