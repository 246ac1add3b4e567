/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collects and sorts the functions that .eh_frame describes.
 *
 * AGENT: called by ehframe.c. The section is read in its own order rather than by .eh_frame_hdr's
 * table, which objects may lack and which may lie. The sizes of records lead from one to the next:
 * after a broken size, and after the terminator, nothing more is believed.
 */
#include "agent/ehframe_scan.h"

#include "agent/ehframe.h"
#include "agent/ehframe_program.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_MIN 64

/* Room for one more of an array; NULL above max (-EFBIG) or without memory (-ENOMEM). */
static void *grow(void *array, size_t size, size_t count, size_t *room, size_t max, int *err)
{
	size_t wanted = *room ? *room * 2 : ROOM_MIN;
	void *grown = array;

	*err = 0;
	if (count < *room)
		return array;
	*err = -EFBIG;
	if (count >= max)
		return NULL;
	grown = reallocarray(array, wanted, size);
	*err = grown ? 0 : -ENOMEM;
	if (grown)
		*room = wanted;
	return grown;
}

static int add_cie(struct ehframe_scan *s, const struct cfa_bytes *record, uint64_t at)
{
	struct ehframe_scan_cie found = {.at = at}, *cies;
	int err;

	if (s->cie_count >= EHFRAME_CIES_MAX || !ehframe_cie_parse(record, &found.cie) ||
	    !ehframe_program_initial(s->machine, &found.cie, &found.initial))
		return 0;
	cies = grow(s->cies, sizeof(*cies), s->cie_count, &s->cie_room, EHFRAME_CIES_MAX, &err);
	if (err)
		return err;
	s->cies = cies;
	s->cies[s->cie_count++] = found;
	return 0;
}

/* The CIE at an offset; CIEs come before their FDEs, mostly right before them. */
static bool find_cie(const struct ehframe_scan *s, uint64_t at, uint32_t *found)
{
	size_t lo = 0, hi = s->cie_count;

	if (s->fde_count) {
		*found = s->fdes[s->fde_count - 1].cie;
		if (s->cies[*found].at == at)
			return true;
	}
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->cies[mid].at < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = (uint32_t)lo;
	return lo < s->cie_count && s->cies[lo].at == at;
}

static int add_fde(struct ehframe_scan *s, const struct cfa_bytes *record, uint64_t at,
		   uint64_t cie_at)
{
	struct ehframe_scan_fde found = {.at = (uint32_t)at}, *fdes;
	struct ehframe_fde fde;
	int err;

	/* Linkers leave functions that they dropped at address 0. */
	if (!find_cie(s, cie_at, &found.cie) ||
	    !ehframe_fde_parse(record, at, s->frames, &s->cies[found.cie].cie, &fde) ||
	    !fde.start || fde.start == fde.end)
		return 0;
	fdes = grow(s->fdes, sizeof(*fdes), s->fde_count, &s->fde_room, EHFRAME_FDES_MAX, &err);
	if (err)
		return err;
	s->fdes = fdes;
	found.start = fde.start;
	s->fdes[s->fde_count++] = found;
	return 0;
}

static int by_start(const void *left, const void *right)
{
	const struct ehframe_scan_fde *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->at > b->at) - (a->at < b->at);
}

int ehframe_scan(struct ehframe_scan *s, const struct module_frames *frames)
{
	struct cfa_bytes record;
	uint64_t at = 0, cie_at;
	int err = 0;

	*s = (struct ehframe_scan){.frames = frames, .machine = ehframe_machine(frames->machine)};
	if (!s->machine)
		return -ENOTSUP;
	if (frames->len > MODULE_FRAMES_MAX)
		return -EFBIG;
	while (!err && !ehframe_record_at(frames, at, &record)) {
		if (ehframe_record_cie(&record, at, &cie_at))
			err = add_fde(s, &record, at, cie_at);
		else
			err = add_cie(s, &record, at);
		at = (uint64_t)(record.end - frames->bytes);
	}
	if (!err && s->fde_count)
		qsort(s->fdes, s->fde_count, sizeof(*s->fdes), by_start);
	return err;
}

void ehframe_scan_release(struct ehframe_scan *s)
{
	free(s->cies);
	free(s->fdes);
}
