/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens the sources of an object in the order of their worth, and closes those of the objects
 * that were not asked for longest.
 *
 * AGENT: called by symbol.c. Each source's own reader bounds what it takes of a hostile file.
 */
#include "agent/symbol_source.h"

#include "agent/debugfile.h"
#include "agent/debuginfod.h"
#include "agent/log.h"
#include "agent/symbol_elf.h"
#include "agent/symbol_mini.h"
#include "agent/symbol_plt.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct symbol_source {
	struct symbol_source *newer, *older; /* by last use; only while loaded */
	const struct module *module;
	bool loaded;
	bool ada;
	bool no_dwarf;	       /* given up for good */
	bool lacks_debug;      /* neither here nor, when arrivals was read, from a server */
	unsigned arrivals;
	struct elf_file debug; /* the separate file, whose .symtab is full's; fd -1: none */
	struct symbol_mini mini_file;
	struct symbol_elf full, mini, dynamic;
	struct symbol_dwarf *dwarf;
	size_t bytes; /* as counted in total */
	char stub[SYMBOL_PLT_NAME_MAX + sizeof("@plt")];
};

static struct symbol_source *newest, *oldest;
static size_t total;

struct symbol_source *symbol_source_new(const struct module *module)
{
	struct symbol_source *s = calloc(1, sizeof(*s));

	if (s) {
		s->module = module;
		s->debug.fd = s->mini_file.elf.fd = -1;
	}
	return s;
}

static void unlink_used(struct symbol_source *s)
{
	*(s->newer ? &s->newer->older : &newest) = s->older;
	*(s->older ? &s->older->newer : &oldest) = s->newer;
}

static void link_newest(struct symbol_source *s)
{
	s->newer = NULL;
	s->older = newest;
	*(newest ? &newest->newer : &oldest) = s;
	newest = s;
}

static void unload(struct symbol_source *s)
{
	if (!s->loaded)
		return;
	symbol_dwarf_close(s->dwarf);
	s->dwarf = NULL;
	symbol_elf_release(&s->full);
	symbol_elf_release(&s->mini);
	symbol_elf_release(&s->dynamic);
	symbol_mini_release(&s->mini_file);
	elf_file_release(&s->debug);
	unlink_used(s);
	total -= s->bytes;
	s->bytes = 0;
	s->loaded = false;
}

void symbol_source_free(struct symbol_source *s)
{
	if (s)
		unload(s);
	free(s);
}

static bool has_dwarf(const struct elf_file *elf)
{
	return elf_file_section(elf, ".debug_info") || elf_file_section(elf, ".zdebug_info");
}

static void open_dwarf(struct symbol_source *s, const struct elf_file *elf, int root,
		       const char *path)
{
	struct symbol_map map, alt;
	int err;

	if (s->no_dwarf || elf->fd < 0 || !has_dwarf(elf))
		return;
	err = symbol_map_open(&map, elf->fd, false);
	if (!err) {
		err = debugfile_open_alt(&alt, elf, root, path);
		if (err)
			symbol_map_release(&map);
		else
			err = symbol_dwarf_open(&s->dwarf, &map, &alt);
	}
	if (err) {
		log_debug("no DWARF of %s is used: %s", path, strerror(-err));
		s->no_dwarf = true;
	}
}

/* Its binder's names, its run-time library's, its main procedure's. */
static bool any_ada(const struct symbol_elf *table)
{
	return symbol_elf_any(table, "ada_main__") || symbol_elf_any(table, "__gnat_") ||
	       symbol_elf_any(table, "_ada_");
}

static void load_symbols(struct symbol_source *s)
{
	const struct elf_file *elf = &s->module->elf;

	symbol_elf_load(&s->full, elf, SHT_SYMTAB);
	if (!s->full.count && s->debug.fd >= 0)
		symbol_elf_load(&s->full, &s->debug, SHT_SYMTAB);
	if (s->full.count)
		return;
	if (!symbol_mini_open(&s->mini_file, elf))
		symbol_elf_load(&s->mini, &s->mini_file.elf, SHT_SYMTAB);
	symbol_elf_load(&s->dynamic, elf, SHT_DYNSYM);
}

/* Here, or fetched: 0 or -ENOENT. */
static int find_debug(struct symbol_source *s, struct debugfile *debug)
{
	char path[DEBUGFILE_PATH_MAX];

	if (!debugfile_open(debug, s->module))
		return 0;
	s->arrivals = debuginfod_arrivals();
	s->lacks_debug = true;
	if (!debuginfod_find(s->module->build_id, path, sizeof(path)) ||
	    debugfile_open_at(debug, s->module, path))
		return -ENOENT;
	s->lacks_debug = false;
	return 0;
}

static void load(struct symbol_source *s)
{
	const struct module *m = s->module;
	struct debugfile *debug = NULL;

	if (s->loaded) {
		unlink_used(s);
		link_newest(s);
		return;
	}
	s->loaded = true;
	link_newest(s);
	if (m->elf.fd >= 0 && !has_dwarf(&m->elf))
		debug = malloc(sizeof(*debug));
	if (debug && !find_debug(s, debug)) {
		s->debug = debug->elf;
		log_debug("debug information of %s: %s", m->path, debug->path);
		open_dwarf(s, &s->debug, debug->root, debug->path);
	} else {
		open_dwarf(s, &m->elf, m->root, m->path);
	}
	free(debug);
	load_symbols(s);
	s->ada = any_ada(&s->full) || any_ada(&s->mini) || any_ada(&s->dynamic);
}

bool symbol_source_ada(const struct symbol_source *s)
{
	return s->ada;
}

bool symbol_source_renew(struct symbol_source *s)
{
	char path[DEBUGFILE_PATH_MAX];
	unsigned arrivals = debuginfod_arrivals();

	if (!s->lacks_debug || s->arrivals == arrivals)
		return false;
	s->arrivals = arrivals;
	if (!debuginfod_find(s->module->build_id, path, sizeof(path)))
		return false;
	unload(s);
	s->lacks_debug = false;
	return true;
}

void symbol_source_dwarf(struct symbol_source *s, uint64_t vaddr, struct symbol_answer *a)
{
	load(s);
	symbol_answer_reset(a);
	if (s->dwarf)
		symbol_dwarf_find(s->dwarf, vaddr, a);
}

static const char *name_in(struct symbol_elf *table, uint64_t vaddr)
{
	const struct symbol_elf_entry *entry = symbol_elf_find(table, vaddr);

	return entry ? symbol_elf_name(table, entry) : NULL;
}

const char *symbol_source_linked(struct symbol_source *s, uint64_t vaddr)
{
	const char *name;

	load(s);
	name = name_in(&s->full, vaddr);
	if (!name)
		name = name_in(&s->mini, vaddr);
	if (!name && !symbol_plt_find(&s->module->elf, vaddr, s->stub, SYMBOL_PLT_NAME_MAX)) {
		strcat(s->stub, "@plt");
		name = s->stub;
	}
	return name ? name : name_in(&s->dynamic, vaddr);
}

static size_t count_bytes(const struct symbol_source *s)
{
	return symbol_elf_bytes(&s->full) + symbol_elf_bytes(&s->mini) +
	       symbol_elf_bytes(&s->dynamic) + (s->mini_file.image ? s->mini_file.elf.size : 0) +
	       (s->dwarf ? symbol_dwarf_bytes(s->dwarf) : 0);
}

static void recount(struct symbol_source *s)
{
	total -= s->bytes;
	s->bytes = count_bytes(s);
	total += s->bytes;
}

void symbol_source_settle(struct symbol_source *s)
{
	if (!s->loaded)
		return;
	recount(s);
	while (total > SYMBOL_SOURCES_BYTES && oldest != s)
		unload(oldest);
	/* Too much for one alone: what it has learnt goes, then all of it. */
	if (total > SYMBOL_SOURCES_BYTES && s->dwarf && symbol_dwarf_shrink(s->dwarf)) {
		symbol_dwarf_close(s->dwarf);
		s->dwarf = NULL;
		s->no_dwarf = true;
	}
	recount(s);
	if (total > SYMBOL_SOURCES_BYTES && s->dwarf) {
		log_debug("the DWARF of %s is too much for the memory set aside", s->module->path);
		symbol_dwarf_close(s->dwarf);
		s->dwarf = NULL;
		s->no_dwarf = true;
		recount(s);
	}
}

size_t symbol_source_bytes(void)
{
	return total;
}
