/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of .eh_frame: common information (CIE) and frame descriptions (FDE), without their
 * instructions.
 *
 * AGENT. Pure: a function of bytes that nobody vouches for. Its two users have different worries:
 * fde.c hands a record on to libunwind, ehframe.c compiles all of them.
 */
#ifndef SPANPROF_AGENT_EHFRAME_RECORD_H
#define SPANPROF_AGENT_EHFRAME_RECORD_H

#include "agent/cfa_program.h"
#include "agent/module.h"

struct ehframe_cie {
	const char *letters; /* of the augmentation; in the section */
	uint64_t code_align, return_column;
	int64_t data_align;
	uint8_t fde_encoding, lsda_encoding;
	bool augmented, signal;
	struct cfa_bytes program;
};

struct ehframe_fde {
	uint64_t start, end; /* code that it describes, link-time addresses */
	struct cfa_bytes program;
};

/*
 * The record at an offset of the section: the bytes behind its 4-byte length, at least 4 of them.
 * -ENODATA: the terminator is there. -EBADMSG: it has no room, or is of 64-bit DWARF.
 */
int ehframe_record_at(const struct module_frames *frames, uint64_t at, struct cfa_bytes *record);

/* The offset of the CIE of the FDE at an offset; false for a CIE. */
bool ehframe_record_cie(const struct cfa_bytes *record, uint64_t at, uint64_t *cie_at);

/* The two take what ehframe_record_at() gave. false: malformed, or encoded as nobody does. */
bool ehframe_cie_parse(const struct cfa_bytes *record, struct ehframe_cie *cie);
bool ehframe_fde_parse(const struct cfa_bytes *record, uint64_t at,
		       const struct module_frames *frames, const struct ehframe_cie *cie,
		       struct ehframe_fde *fde);

/* An encoded pointer that lies at a link-time address, absolute or relative to that. */
bool ehframe_pointer(struct cfa_bytes *b, uint8_t encoding, uint64_t vaddr, uint64_t *out);

#endif
