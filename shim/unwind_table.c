/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_table.c - finds the row of a program counter; unwind_x86_64.c and unwind_aarch64.c step by
 * it. HANDLER: no call, no lock, a few words of stack. The tables may change under a handler that was
 * slow: every index is bounded, every search ends, and the caller looks whether the snapshot is still
 * the same when it has done.
 */
#include "shim/unwind_table.h"
#include "shim/sigsafe.h"

static bool within(const struct unwind_tables *t, uint64_t offset, uint64_t count, uint64_t size)
{
	return offset <= t->size && count <= (t->size - offset) / size;
}

bool unwind_find_mapping(const struct unwind_tables *t, uintptr_t pc, struct feed_mapping *mapping)
{
	const struct feed_snapshot *snapshot =
		(const struct feed_snapshot *)(t->base + t->snapshot);
	uint32_t low = 0, high;

	if (!t->snapshot || t->snapshot % 8 || !within(t, t->snapshot, 1, sizeof(*snapshot)))
		return false;
	high = __atomic_load_n(&snapshot->count, __ATOMIC_RELAXED);
	if (snapshot->maps_epoch != t->maps_epoch ||
	    !within(t, t->snapshot + sizeof(*snapshot), high, sizeof(*mapping)))
		return false;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		*mapping = snapshot->mappings[middle];
		if (pc < mapping->start)
			high = middle;
		else if (pc >= mapping->end)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/* The index says between which rows to look: [low, high). */
static bool narrow(const struct unwind_tables *t, const struct feed_mapping *mapping,
		   const struct feed_row *rows, uint32_t at, uint32_t *low, uint32_t *high)
{
	uint64_t offset = mapping->rows_offset + (uint64_t)mapping->row_count * sizeof(*rows);
	uint64_t count = feed_index_count(rows[mapping->row_count - 1].start);
	const uint32_t *index = (const uint32_t *)(t->base + offset);
	uint32_t chunk = at / FEED_INDEX_BYTES;

	if (!within(t, offset, count, sizeof(*index)))
		return false;
	if (chunk > count - 2)
		chunk = (uint32_t)count - 2;
	*low = index[chunk];
	*high = index[chunk + 1] + 1;
	return *low < *high && *high <= mapping->row_count;
}

bool unwind_find_row(const struct unwind_tables *t, const struct feed_mapping *mapping,
		     uintptr_t pc, struct feed_row *row)
{
	const struct feed_row *rows = (const struct feed_row *)(t->base + mapping->rows_offset);
	uint64_t at = pc - mapping->base;
	uint32_t low, high;

	if (!mapping->row_count || mapping->rows_offset % 4 || at > UINT32_MAX ||
	    !within(t, mapping->rows_offset, mapping->row_count, sizeof(*row)) ||
	    !narrow(t, mapping, rows, (uint32_t)at, &low, &high))
		return false;
	/* The last row that starts at or before. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (rows[middle].start <= at)
			low = middle;
		else
			high = middle;
	}
	*row = rows[low];
	return row->start <= at;
}
