/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts rows where a compiled table has none.
 *
 * AGENT: called by undescribed.c.
 */
#include "agent/ehframe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for n rows in place of those in [at, at + old). */
static int splice(struct ehframe_table *t, size_t at, size_t old, const struct feed_row *new,
		  size_t n)
{
	size_t behind = t->count - at - old;
	struct feed_row *rows = t->rows;

	if (t->count + n - old > EHFRAME_ROWS_MAX)
		return -EFBIG;
	if (n > old) {
		rows = reallocarray(rows, t->count + n - old, sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		t->rows = rows;
	}
	memmove(rows + at + n, rows + at + old, behind * sizeof(*rows));
	memcpy(rows + at, new, n * sizeof(*rows));
	t->count += n - old;
	return 0;
}

/* Below the first row, or into an empty table. */
static int insert_below(struct ehframe_table *t, uint64_t start, uint64_t end, struct feed_row row)
{
	struct feed_row new[2] = {row, {.cfa = FEED_CFA_NONE}};
	uint64_t up = t->count ? t->base - start : 0;
	size_t count = t->count;
	int err;

	if (end - start > UINT32_MAX || (count && t->rows[count - 1].start + up > UINT32_MAX))
		return -ERANGE;
	new[0].start = 0;
	new[1].start = (uint32_t)(end - start);
	err = splice(t, 0, 0, new, count && end == t->base ? 1 : 2);
	if (err)
		return err;
	for (size_t i = t->count - count; i < t->count; i++)
		t->rows[i].start += (uint32_t)up;
	t->base = start;
	return 0;
}

int ehframe_insert(struct ehframe_table *t, uint64_t start, uint64_t end, struct feed_row row)
{
	const struct feed_row *at = ehframe_lookup(t, start), none = {.cfa = FEED_CFA_NONE};
	uint64_t above = end;
	struct feed_row new[3];
	size_t n = 0, i;

	if (start >= end)
		return -EINVAL;
	if (!t->count || (start < t->base && end <= t->base))
		return insert_below(t, start, end, row);
	if (!at || at->cfa != FEED_CFA_NONE)
		return -EEXIST;
	i = (size_t)(at - t->rows);
	if (i + 1 < t->count)
		above = t->base + t->rows[i + 1].start;
	if (end > above)
		return -EEXIST;
	if (end - t->base > UINT32_MAX)
		return -ERANGE;
	if (t->base + at->start < start)
		new[n++] = *at;
	new[n] = row;
	new[n++].start = (uint32_t)(start - t->base);
	if (end < above || i + 1 == t->count) {
		new[n] = none;
		new[n++].start = (uint32_t)(end - t->base);
	}
	return splice(t, i, 1, new, n);
}
