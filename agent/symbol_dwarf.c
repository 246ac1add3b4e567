/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses to compilation units once for each object, to functions and lines once for each unit;
 * then each question is three searches.
 *
 * AGENT: called by symbol_source.c. symbol_dwarf_walk.c and symbol_dwarf_rows.c are its stages; no
 * other file uses libdw. Its own lookups walk a unit's tree for every question, and would open files
 * that the DWARF names; what it reads is copied into tables of our own, because it gives memory back
 * only as a whole.
 */
#include "agent/symbol_dwarf.h"

#include "agent/clock.h"
#include "agent/symbol_dwarf_rows.h"
#include "agent/symbol_dwarf_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dwarf.h>
#include <elfutils/libdw.h>

#define NSEC_PER_MSEC 1000000ull
/* What libdw keeps for a handle, a unit, the abbreviations of one. */
enum {
	HANDLE_BYTES = 8192,
	UNIT_BYTES = 512,
	ABBREVS_BYTES = 8192,
	HANDLE_BYTES_MAX = 4 << 20,
};

struct unit {
	bool read, ada;
	struct symbol_scopes scopes; /* functions and what is inlined into them, by DIE offset */
	struct symbol_lines lines;
};

struct handle {
	struct symbol_map map;
	Elf *elf;
	Dwarf *dwarf;
};

struct symbol_dwarf {
	struct handle own, alt;
	struct symbol_dwarf_programs programs;
	struct symbol_scopes index; /* units by address and DIE offset */
	struct unit *units;	    /* of each scope of index */
	size_t unit_bytes;	    /* held by the units */
	size_t handle_bytes;	    /* held by libdw, inflated sections aside */
};

static struct {
	uint64_t start_ns; /* by the wall's clock */
	uint64_t busy_ns;  /* by SYMBOL_DWARF_CLOCK */
} window; /* of the time that units of any object took */

/* On a busy machine, waiting for a processor is no sign of a file that takes too long. */
static uint64_t used_ns(void)
{
	return clock_ns(SYMBOL_DWARF_CLOCK);
}

/* A program may have thousands of units, and its CPUs are for itself. */
static bool time_left(void)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (now - window.start_ns > SYMBOL_DWARF_WINDOW_MS * NSEC_PER_MSEC) {
		window.start_ns = now;
		window.busy_ns = 0;
	}
	return window.busy_ns < SYMBOL_DWARF_BUSY_MS * NSEC_PER_MSEC;
}

static bool is_ada(Dwarf *dwarf, Dwarf_Off unit)
{
	Dwarf_Die die;

	if (!dwarf_offdie(dwarf, unit, &die))
		return false;
	switch (dwarf_srclang(&die)) {
	case DW_LANG_Ada83:
	case DW_LANG_Ada95:
		return true;
	default:
		return false;
	}
}

static void read_unit(struct symbol_dwarf *d, struct unit *u, Dwarf_Off offset)
{
	uint64_t start_ns = used_ns();

	u->read = true;
	u->ada = is_ada(d->own.dwarf, offset);
	symbol_dwarf_functions(d->own.dwarf, offset,
			       start_ns + SYMBOL_DWARF_UNIT_MS * NSEC_PER_MSEC, &u->scopes);
	d->handle_bytes += symbol_dwarf_rows(d->own.dwarf, &d->programs, offset, &u->lines);
	d->unit_bytes += symbol_scopes_bytes(&u->scopes) + symbol_lines_bytes(&u->lines);
	d->handle_bytes += ABBREVS_BYTES;
	window.busy_ns += used_ns() - start_ns;
}

static int index_units(struct symbol_dwarf *d)
{
	uint64_t deadline_ns = used_ns() + SYMBOL_DWARF_OPEN_MS * NSEC_PER_MSEC;
	int err = symbol_dwarf_index(d->own.dwarf, deadline_ns, &d->index);

	if (err)
		return err;
	d->units = calloc(d->index.count + 1, sizeof(*d->units));
	return d->units ? 0 : -ENOMEM;
}

static void close_handle(struct handle *h)
{
	if (h->dwarf)
		dwarf_end(h->dwarf);
	if (h->elf)
		elf_end(h->elf);
	h->dwarf = NULL;
	h->elf = NULL;
}

static void close_handles(struct symbol_dwarf *d)
{
	close_handle(&d->own);
	close_handle(&d->alt);
	d->handle_bytes = 0;
}

static void forget_units(struct symbol_dwarf *d)
{
	for (size_t i = 0; d->units && i < d->index.count; i++) {
		symbol_scopes_release(&d->units[i].scopes);
		symbol_lines_release(&d->units[i].lines);
		d->units[i].read = false;
	}
	d->unit_bytes = 0;
}

static bool open_handle(struct handle *h)
{
	h->elf = elf_memory((char *)h->map.base, h->map.size);
	h->dwarf = h->elf ? dwarf_begin_elf(h->elf, DWARF_C_READ, NULL) : NULL;
	return h->dwarf;
}

static int open_handles(struct symbol_dwarf *d)
{
	elf_version(EV_CURRENT);
	if (!open_handle(&d->own))
		return -ENODATA;
	if (d->alt.map.base && !open_handle(&d->alt))
		return -EBADMSG;
	if (d->alt.dwarf)
		dwarf_setalt(d->own.dwarf, d->alt.dwarf);
	symbol_dwarf_programs(d->own.elf, &d->programs);
	d->handle_bytes = HANDLE_BYTES;
	return 0;
}

int symbol_dwarf_open(struct symbol_dwarf **out, struct symbol_map *map, struct symbol_map *alt)
{
	struct symbol_dwarf *d = calloc(1, sizeof(*d));
	int err;

	*out = NULL;
	if (!d) {
		symbol_map_release(map);
		symbol_map_release(alt);
		return -ENOMEM;
	}
	d->own.map = *map;
	d->alt.map = *alt;
	err = open_handles(d);
	if (!err)
		err = index_units(d);
	if (err)
		symbol_dwarf_close(d);
	else
		*out = d;
	return err;
}

void symbol_dwarf_close(struct symbol_dwarf *d)
{
	if (!d)
		return;
	close_handles(d);
	forget_units(d);
	free(d->units);
	symbol_scopes_release(&d->index);
	symbol_map_release(&d->own.map);
	symbol_map_release(&d->alt.map);
	free(d);
}

int symbol_dwarf_shrink(struct symbol_dwarf *d)
{
	forget_units(d);
	close_handles(d);
	return open_handles(d);
}

size_t symbol_dwarf_bytes(const struct symbol_dwarf *d)
{
	return d->unit_bytes + d->handle_bytes + d->own.map.cost + d->alt.map.cost +
	       symbol_scopes_bytes(&d->index) + d->index.count * (sizeof(*d->units) + UNIT_BYTES);
}

/* What libdw has read is copied, and it cannot give it back but as a whole. */
static bool renew_handles(struct symbol_dwarf *d)
{
	/* Sections that must be inflated anew make that dear. */
	if (d->handle_bytes <= HANDLE_BYTES_MAX + d->own.map.cost)
		return true;
	close_handles(d);
	return open_handles(d) == 0;
}

static int64_t number_of(Dwarf_Die *die, unsigned name, bool inherited)
{
	Dwarf_Attribute attr;
	Dwarf_Word value = 0;
	bool found =
	    inherited ? dwarf_attr_integrate(die, name, &attr) : dwarf_attr(die, name, &attr);

	return found && !dwarf_formudata(&attr, &value) && value <= INT32_MAX ? (int64_t)value : 0;
}

static const char *string_of(struct symbol_answer *a, Dwarf_Die *die, unsigned name, unsigned old)
{
	Dwarf_Attribute attr;

	if (!dwarf_attr_integrate(die, name, &attr) && !dwarf_attr_integrate(die, old, &attr))
		return NULL;
	return symbol_answer_keep(a, "", dwarf_formstring(&attr));
}

static const char *keep_path(struct symbol_answer *a, const struct unit *u, uint64_t file)
{
	return symbol_answer_keep(a, symbol_lines_directory(&u->lines),
				  symbol_lines_file(&u->lines, file));
}

static void place(const struct unit *u, uint64_t vaddr, struct symbol_answer *a)
{
	const struct symbol_line_row *row = symbol_lines_find(&u->lines, vaddr);

	if (!row)
		return;
	a->frames[0].line = row->line;
	a->frames[0].file = keep_path(a, u, row->file);
}

static void name_frames(struct symbol_dwarf *d, const struct unit *u, uint32_t scope,
			struct symbol_answer *a)
{
	while (scope != SYMBOL_SCOPE_NONE && a->count < SYMBOL_ANSWER_FRAMES_MAX) {
		struct symbol_answer_frame *f = &a->frames[a->count];
		Dwarf_Die die;

		if (!dwarf_offdie(d->own.dwarf, u->scopes.scopes[scope].id, &die))
			return;
		f->linkage = string_of(a, &die, DW_AT_linkage_name, DW_AT_MIPS_linkage_name);
		f->name = string_of(a, &die, DW_AT_name, DW_AT_name);
		f->start_line = number_of(&die, DW_AT_decl_line, true);
		a->count++;
		scope = u->scopes.scopes[scope].parent;
		if (scope == SYMBOL_SCOPE_NONE || a->count == SYMBOL_ANSWER_FRAMES_MAX)
			return;
		f[1].line = number_of(&die, DW_AT_call_line, false);
		if (f[1].line)
			f[1].file =
			    keep_path(a, u, (uint64_t)number_of(&die, DW_AT_call_file, false));
	}
}

void symbol_dwarf_find(struct symbol_dwarf *d, uint64_t vaddr, struct symbol_answer *a)
{
	uint32_t at = symbol_scopes_find(&d->index, vaddr);
	struct unit *u;

	symbol_answer_reset(a);
	if (at == SYMBOL_SCOPE_NONE || !d->own.dwarf)
		return;
	u = &d->units[at];
	if (!u->read) {
		a->hurried = !time_left();
		if (a->hurried)
			return;
		read_unit(d, u, d->index.scopes[at].id);
		if (!renew_handles(d))
			return;
	}
	place(u, vaddr, a);
	name_frames(d, u, symbol_scopes_find(&u->scopes, vaddr), a);
	if (!a->count && a->frames[0].line)
		a->count = 1;
	a->ada = u->ada;
	if (symbol_map_broken(&d->own.map) || symbol_map_broken(&d->alt.map))
		symbol_answer_reset(a);
}
