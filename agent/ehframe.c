/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions in the order of their addresses, and what each says, as one ascending list of rows.
 *
 * AGENT: called by publish.c, once for each object. ehframe_scan.c finds the functions,
 * ehframe_program.c runs their instructions, ehframe_machine.c's make the rows; here they are put
 * in line.
 */
#include "agent/ehframe.h"

#include "agent/ehframe_program.h"
#include "agent/ehframe_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 256

struct output {
	struct ehframe_table *table;
	size_t room;
	uint64_t end; /* of the code that has been described: what is below it is taken */
};

static bool alike(const struct feed_row *a, const struct feed_row *b)
{
	return a->cfa == b->cfa && a->cfa_offset == b->cfa_offset && a->fp == b->fp &&
	       a->fp_offset == b->fp_offset;
}

static int make_room(struct output *o)
{
	size_t room = o->room ? o->room * 2 : ROOM_MIN;
	struct feed_row *rows;

	if (o->table->count < o->room)
		return 0;
	if (o->table->count >= EHFRAME_ROWS_MAX)
		return -EFBIG;
	rows = reallocarray(o->table->rows, room, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	o->table->rows = rows;
	o->room = room;
	return 0;
}

/* Addresses come in ascending order: each row ends the one before. */
static int put(struct output *o, uint64_t vaddr, struct feed_row row)
{
	struct ehframe_table *t = o->table;
	int err;

	if (t->count && alike(&t->rows[t->count - 1], &row))
		return 0;
	if (vaddr - t->base > UINT32_MAX)
		return -ERANGE;
	err = make_room(o);
	if (err)
		return err;
	row.start = (uint32_t)(vaddr - t->base);
	t->rows[t->count++] = row;
	return 0;
}

static int put_program(struct output *o, struct ehframe_program *p, const struct ehframe_fde *fde)
{
	uint64_t low = fde->start > o->end ? fde->start : o->end;
	int err, more;

	do {
		more = ehframe_program_next(p);
		if (more < 0)
			return more;
		if (!more || p->to > fde->end)
			p->to = fde->end;
		if (p->to <= low)
			continue;
		err = put(o, p->from > low ? p->from : low,
			  p->machine->row(&p->rules, p->cie->signal));
		if (err)
			return err;
	} while (more && p->to < fde->end);
	return 0;
}

static int put_function(struct output *o, const struct ehframe_scan *scan,
			const struct ehframe_scan_fde *found)
{
	const struct ehframe_scan_cie *c = &scan->cies[found->cie];
	static const struct feed_row none = {.cfa = FEED_CFA_NONE};
	size_t count = o->table->count;
	struct ehframe_program program;
	struct ehframe_fde fde;
	struct cfa_bytes record;
	int err;

	/* Both have been done once, by the scan. */
	if (ehframe_record_at(scan->frames, found->at, &record) ||
	    !ehframe_fde_parse(&record, found->at, scan->frames, &c->cie, &fde))
		return -EBADMSG;
	if (fde.end <= o->end)
		return 0;
	if (fde.start > o->end) {
		err = put(o, o->end, none);
		if (err)
			return err;
		count = o->table->count;
	}
	ehframe_program_init(&program, scan->machine, &c->cie, &c->initial, &fde, scan->frames);
	err = put_program(o, &program, &fde);
	if (err == -EBADMSG) {
		/* Half of a description is none: what it has put is taken back. */
		o->table->count = count;
		err = put(o, fde.start > o->end ? fde.start : o->end, none);
	}
	o->end = fde.end;
	return err;
}

static int put_all(struct output *o, const struct ehframe_scan *scan)
{
	int err = 0;

	if (!scan->fde_count)
		return -ENOENT;
	o->end = o->table->base = scan->fdes[0].start;
	for (size_t i = 0; i < scan->fde_count && !err; i++)
		err = put_function(o, scan, &scan->fdes[i]);
	return err ? err : put(o, o->end, (struct feed_row){.cfa = FEED_CFA_NONE});
}

/* A table lives as long as the agent. */
static void trim(struct ehframe_table *t)
{
	struct feed_row *rows = reallocarray(t->rows, t->count, sizeof(*rows));

	if (rows)
		t->rows = rows;
}

int ehframe_compile(const struct module_frames *frames, struct ehframe_table *out)
{
	struct output output = {.table = out};
	struct ehframe_scan scan;
	int err;

	*out = (struct ehframe_table){0};
	err = ehframe_scan(&scan, frames);
	if (!err)
		err = put_all(&output, &scan);
	ehframe_scan_release(&scan);
	if (err)
		ehframe_release(out);
	else
		trim(out);
	return err;
}

void ehframe_release(struct ehframe_table *table)
{
	free(table->rows);
	*table = (struct ehframe_table){0};
}

const struct feed_row *ehframe_lookup(const struct ehframe_table *t, uint64_t vaddr)
{
	size_t lo = 0, hi = t->count;

	if (!t->count || vaddr < t->base || vaddr - t->base > UINT32_MAX)
		return NULL;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->rows[mid].start <= vaddr - t->base)
			lo = mid;
		else
			hi = mid;
	}
	return &t->rows[lo];
}

size_t ehframe_published_size(const struct ehframe_table *table)
{
	if (!table->count)
		return 0;
	return table->count * sizeof(struct feed_row) +
	       feed_index_count(table->rows[table->count - 1].start) * sizeof(uint32_t);
}

void ehframe_publish(const struct ehframe_table *table, void *to)
{
	uint32_t *index = (uint32_t *)((struct feed_row *)to + table->count);
	uint64_t count, row = 0;

	if (!table->count)
		return;
	memcpy(to, table->rows, table->count * sizeof(struct feed_row));
	count = feed_index_count(table->rows[table->count - 1].start);
	for (uint64_t i = 0; i < count; i++) {
		while (row + 1 < table->count && table->rows[row + 1].start <= i * FEED_INDEX_BYTES)
			row++;
		index[i] = (uint32_t)row;
	}
}
