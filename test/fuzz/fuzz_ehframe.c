/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as .eh_frame: either no table, or one that a handler can search. The first bytes are
 * the section's address, so that the seeds, sections of real programs, mean what they meant there; the
 * highest of them says for which machine.
 */
#include "agent/ehframe.h"

#include <elf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_row(const struct ehframe_table *t, size_t i)
{
	const struct feed_row *row = &t->rows[i];

	if (row->cfa > FEED_CFA_OTHER || row->fp > FEED_FP_APART)
		abort();
	if (i && (row->start <= row[-1].start ||
		  !memcmp(&row->cfa_offset, &row[-1].cfa_offset,
			  sizeof(*row) - offsetof(struct feed_row, cfa_offset))))
		abort();
	if (ehframe_lookup(t, t->base + row->start) != row ||
	    (i && ehframe_lookup(t, t->base + row->start - 1) != row - 1))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct module_frames frames = {0};
	struct ehframe_table table;
	uint8_t *copy;
	int err;

	if (size < sizeof(frames.vaddr))
		return 0;
	memcpy(&frames.vaddr, data, sizeof(frames.vaddr));
	frames.len = size - sizeof(frames.vaddr);
	/* Of its own size, so that ASan sees the byte behind it. */
	copy = malloc(frames.len ? frames.len : 1);
	if (!copy)
		return 0;
	memcpy(copy, data + sizeof(frames.vaddr), frames.len);
	frames.bytes = copy;
	/* No section lies so high: the topmost byte is free to say whose it is. */
	frames.machine = frames.vaddr >> 56 & 1 ? EM_AARCH64 : EM_X86_64;
	frames.vaddr &= UINT64_MAX >> 8;
	err = ehframe_compile(&frames, &table);
	if (err ? table.rows || table.count
		: !table.count || table.rows[0].start ||
		      table.rows[table.count - 1].cfa != FEED_CFA_NONE)
		abort();
	for (size_t i = 0; i < table.count; i++)
		check_row(&table, i);
	ehframe_release(&table);
	free(copy);
	return 0;
}
