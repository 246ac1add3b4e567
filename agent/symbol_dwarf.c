/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses to compilation units once for each object, to functions and lines once for each unit;
 * then each question is three searches.
 *
 * AGENT: called by symbol_source.c. The sole user of libdw. Its own lookups walk a unit's tree for
 * every question, and would open files that the DWARF names; what it reads is copied into tables
 * of our own, because it gives memory back only as a whole.
 */
#include "agent/symbol_dwarf.h"

#include "agent/clock.h"

#include "agent/symbol_lines.h"
#include "agent/symbol_scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dwarf.h>
#include <elfutils/libdw.h>

#define NSEC_PER_MSEC 1000000ull
#define DWARF_DEPTH_MAX 64	   /* DIEs within each other */
#define DWARF_CHECK_EVERY 1024	   /* DIEs between two looks at the clock */
#define DWARF_LINES_MAX (2u << 20) /* bytes of a unit's line program; one may make a row of 80 */
/* What libdw keeps for a handle, a unit, the abbreviations of one, a row of lines, a file. */
enum {
	HANDLE_BYTES = 8192,
	UNIT_BYTES = 512,
	ABBREVS_BYTES = 8192,
	HANDLE_BYTES_MAX = 4 << 20,
	LINE_BYTES = 80,
	FILE_BYTES = 160
};

struct unit {
	bool read;
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
	const Elf_Data *line_programs;
	struct symbol_scopes index; /* units by address and DIE offset */
	struct unit *units;	    /* of each scope of index */
	size_t unit_bytes;	    /* held by the units */
	size_t handle_bytes;	    /* held by libdw, inflated sections aside */
};

struct walk {
	struct symbol_scopes *into;
	uint32_t unit; /* scope that all ranges belong to; or none, and each function is one */
	uint64_t deadline_ns;
	unsigned visited;
	int error;
};

static struct {
	uint64_t start_ns, busy_ns;
} window; /* of the time that units of any object took */

static bool late(struct walk *w)
{
	if (++w->visited % DWARF_CHECK_EVERY == 0 && clock_ns(CLOCK_MONOTONIC) > w->deadline_ns)
		w->error = -ETIME;
	return w->error != 0;
}

/* A linker that dropped a function leaves it at address 0. */
static void add_ranges(struct walk *w, Dwarf_Die *die, uint32_t scope)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	while (!w->error && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
		if (start && symbol_scopes_add_range(w->into, scope, start, end))
			w->error = -ENOMEM;
		late(w);
	}
}

static bool may_hold_functions(int tag)
{
	static const int tags[] = {
	    DW_TAG_subprogram,	   DW_TAG_inlined_subroutine, DW_TAG_lexical_block,
	    DW_TAG_try_block,	   DW_TAG_catch_block,	      DW_TAG_namespace,
	    DW_TAG_structure_type, DW_TAG_class_type,	      DW_TAG_union_type,
	    DW_TAG_module,
	};

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (tags[i] == tag)
			return true;
	return false;
}

static void walk_children(struct walk *w, Dwarf_Die *parent, uint32_t scope, int depth);

/* What has no code of its own, a declaration or an abstract instance, may hold what has: lambdas.
 */
static void walk_die(struct walk *w, Dwarf_Die *die, uint32_t scope, int depth)
{
	int tag = dwarf_tag(die);
	bool function = tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;

	if (!may_hold_functions(tag))
		return;
	if (tag == DW_TAG_subprogram)
		scope = SYMBOL_SCOPE_NONE;
	if (function && (dwarf_hasattr(die, DW_AT_low_pc) || dwarf_hasattr(die, DW_AT_ranges))) {
		scope = w->unit != SYMBOL_SCOPE_NONE
			    ? w->unit
			    : symbol_scopes_add(w->into, dwarf_dieoffset(die), scope);
		if (scope == SYMBOL_SCOPE_NONE)
			w->error = -ENOMEM;
		else
			add_ranges(w, die, scope);
	}
	walk_children(w, die, scope, depth + 1);
}

static void walk_children(struct walk *w, Dwarf_Die *parent, uint32_t scope, int depth)
{
	Dwarf_Die die;
	int more;

	if (depth > DWARF_DEPTH_MAX || dwarf_child(parent, &die) != 0)
		return;
	do {
		walk_die(w, &die, scope, depth);
		more = late(w) ? 1 : dwarf_siblingof(&die, &die);
	} while (more == 0);
}

/* libdw has inflated the section already, if need be. */
static const Elf_Data *line_programs(Elf *elf)
{
	Elf_Scn *scn = NULL;
	const char *name;
	GElf_Shdr sh;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		name = gelf_getshdr(scn, &sh) ? elf_strptr(elf, names, sh.sh_name) : NULL;
		if (name && (!strcmp(name, ".debug_line") || !strcmp(name, ".zdebug_line")))
			return elf_rawdata(scn, NULL);
	}
	return NULL;
}

/* Few bytes make many rows: what would take too much memory is not begun. */
static bool lines_fit(const struct symbol_dwarf *d, Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Word at;
	uint32_t size; /* of 64-bit DWARF: all ones */

	if (!d->line_programs || !dwarf_attr(die, DW_AT_stmt_list, &attr) ||
	    dwarf_formudata(&attr, &at) != 0 || d->line_programs->d_size < sizeof(size) ||
	    at > d->line_programs->d_size - sizeof(size))
		return false;
	memcpy(&size, (const char *)d->line_programs->d_buf + at, sizeof(size));
	return size <= DWARF_LINES_MAX;
}

static int copy_lines(struct symbol_lines *to, Dwarf_Lines *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		Dwarf_Line *row = dwarf_onesrcline(lines, i);
		Dwarf_Files *files;
		Dwarf_Addr start;
		size_t file;
		bool end;
		int line;

		if (dwarf_lineaddr(row, &start) || dwarf_lineno(row, &line) ||
		    dwarf_lineendsequence(row, &end) || dwarf_line_file(row, &files, &file))
			continue;
		symbol_lines_add(to, start, end || line < 0 ? 0 : (uint32_t)line, (uint32_t)file);
	}
	return symbol_lines_trim(to);
}

static void read_lines(struct symbol_dwarf *d, struct unit *u, Dwarf_Die *die)
{
	size_t line_count, file_count;
	Dwarf_Attribute attr;
	Dwarf_Lines *lines;
	Dwarf_Files *files;
	const char *directory;
	int err;

	if (!lines_fit(d, die) || dwarf_getsrclines(die, &lines, &line_count) != 0 ||
	    dwarf_getsrcfiles(die, &files, &file_count) != 0)
		return;
	d->handle_bytes += line_count * LINE_BYTES + file_count * FILE_BYTES;
	directory = dwarf_attr(die, DW_AT_comp_dir, &attr) ? dwarf_formstring(&attr) : NULL;
	err = symbol_lines_init(&u->lines, line_count, file_count, directory);
	for (size_t i = 0; i < file_count && !err; i++)
		err = symbol_lines_add_file(&u->lines, dwarf_filesrc(files, i, NULL, NULL));
	if (!err)
		err = copy_lines(&u->lines, lines, line_count);
	if (err)
		symbol_lines_release(&u->lines);
}

/* The agent has samples to drain meanwhile, and a program may have thousands of units. */
static bool time_left(uint64_t now)
{
	if (now - window.start_ns > SYMBOL_DWARF_WINDOW_MS * NSEC_PER_MSEC) {
		window.start_ns = now;
		window.busy_ns = 0;
	}
	return window.busy_ns < SYMBOL_DWARF_BUSY_MS * NSEC_PER_MSEC;
}

static void read_unit(struct symbol_dwarf *d, struct unit *u, Dwarf_Off offset, uint64_t now)
{
	struct walk w = {.into = &u->scopes, .unit = SYMBOL_SCOPE_NONE};
	Dwarf_Die die;

	u->read = true;
	w.deadline_ns = now + SYMBOL_DWARF_UNIT_MS * NSEC_PER_MSEC;
	if (!dwarf_offdie(d->own.dwarf, offset, &die))
		return;
	walk_children(&w, &die, SYMBOL_SCOPE_NONE, 0);
	if (w.error)
		symbol_scopes_release(&u->scopes);
	symbol_scopes_sort(&u->scopes);
	read_lines(d, u, &die);
	d->unit_bytes += symbol_scopes_bytes(&u->scopes) + symbol_lines_bytes(&u->lines);
	d->handle_bytes += ABBREVS_BYTES;
	window.busy_ns += clock_ns(CLOCK_MONOTONIC) - now;
}

static void index_unit(struct walk *w, Dwarf_Die *die, uint8_t type)
{
	size_t before = w->into->range_count;
	uint32_t scope;

	if (type != DW_UT_compile && type != DW_UT_skeleton)
		return;
	scope = symbol_scopes_add(w->into, dwarf_dieoffset(die), SYMBOL_SCOPE_NONE);
	if (scope == SYMBOL_SCOPE_NONE)
		w->error = -ENOMEM;
	else
		add_ranges(w, die, scope);
	/* A unit that does not say where its code is says it in its functions, or has none. */
	w->unit = scope;
	if (w->into->range_count == before && !w->error && dwarf_hasattr(die, DW_AT_stmt_list))
		walk_children(w, die, scope, 0);
	if (!w->error && clock_ns(CLOCK_MONOTONIC) > w->deadline_ns)
		w->error = -ETIME;
}

static int index_units(struct symbol_dwarf *d)
{
	struct walk w = {.into = &d->index};
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	Dwarf_Half version;
	uint8_t type;

	w.deadline_ns = clock_ns(CLOCK_MONOTONIC) + SYMBOL_DWARF_OPEN_MS * NSEC_PER_MSEC;
	while (!w.error && dwarf_get_units(d->own.dwarf, cu, &cu, &version, &type, &die, NULL) == 0)
		index_unit(&w, &die, type);
	if (w.error)
		return w.error;
	symbol_scopes_sort(&d->index);
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
	d->line_programs = line_programs(d->own.elf);
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
	uint64_t now;

	symbol_answer_reset(a);
	if (at == SYMBOL_SCOPE_NONE || !d->own.dwarf)
		return;
	u = &d->units[at];
	if (!u->read) {
		now = clock_ns(CLOCK_MONOTONIC);
		a->hurried = !time_left(now);
		if (a->hurried)
			return;
		read_unit(d, u, d->index.scopes[at].id, now);
		if (!renew_handles(d))
			return;
	}
	place(u, vaddr, a);
	name_frames(d, u, symbol_scopes_find(&u->scopes, vaddr), a);
	if (!a->count && a->frames[0].line)
		a->count = 1;
	if (symbol_map_broken(&d->own.map) || symbol_map_broken(&d->alt.map))
		symbol_answer_reset(a);
}
