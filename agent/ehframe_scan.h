/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over .eh_frame: which functions it describes, and by which common information.
 *
 * AGENT. Needs no .eh_frame_hdr. The instructions of the functions are not looked at.
 */
#ifndef SPANPROF_AGENT_EHFRAME_SCAN_H
#define SPANPROF_AGENT_EHFRAME_SCAN_H

#include "agent/ehframe_machine.h"
#include "agent/ehframe_record.h"

/* A CIE, run once however many FDEs are under it: that keeps hostile sections linear. */
struct ehframe_scan_cie {
	struct ehframe_cie cie;
	struct ehframe_rules initial;
	uint64_t at;
};

/* Small, since there are many and they are sorted: the rest is parsed again when its turn comes. */
struct ehframe_scan_fde {
	uint64_t start;
	uint32_t at;
	uint32_t cie; /* index */
};

struct ehframe_scan {
	const struct module_frames *frames;
	const struct ehframe_machine *machine;
	struct ehframe_scan_cie *cies; /* ascending by at */
	size_t cie_count, cie_room;
	struct ehframe_scan_fde *fdes; /* by start, then at */
	size_t fde_count, fde_room;
};

/* 0, -ENOTSUP (the machine), -EFBIG, -ENOMEM; release in any case. Malformed records are skipped. */
int ehframe_scan(struct ehframe_scan *scan, const struct module_frames *frames);
void ehframe_scan_release(struct ehframe_scan *scan);

#endif
