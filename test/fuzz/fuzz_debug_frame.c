/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as .debug_frame: what they become stays within its room, and its readers within it. The
 * seeds are sections of real programs, of each version of DWARF.
 */
#include "agent/debug_frame.h"

#include "agent/ehframe.h"
#include "agent/fde.h"
#include "agent/module_frames.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define VADDR 0x100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The search table leads to a description of the address, if to any. */
static void look_up(const struct module_frames *f, uint64_t vaddr)
{
	struct fde fde;

	if (!fde_find(f, vaddr, &fde) && (vaddr < fde.start || vaddr >= fde.end))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct module_frames frames = {.vaddr = VADDR, .machine = EM_X86_64};
	struct ehframe_table table;

	/* As long as it may become and no longer: ASan sees the byte behind it. */
	frames.bytes = malloc(size * DEBUG_FRAME_GROWTH);
	if (!frames.bytes)
		return 0;
	frames.len = debug_frame_transcribe(data, size, VADDR, frames.bytes);
	if (frames.len > size * DEBUG_FRAME_GROWTH)
		abort();
	module_frames_make_hdr(&frames);
	if (!ehframe_compile(&frames, &table)) {
		for (size_t i = 0; i < table.count; i++)
			look_up(&frames, table.base + table.rows[i].start);
		ehframe_release(&table);
	}
	module_frames_release(&frames);
	return 0;
}
