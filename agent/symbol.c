/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the names of an address: what its object's sources say, else one made of the object's
 * name and the address.
 *
 * AGENT: called when a profile is exported, for each distinct frame of it. Reads nothing itself:
 * sources are symbol_source.c's, what is known already is symbol_cache.c's.
 */
#include "agent/symbol.h"

#include "agent/debugfile.h"
#include "agent/demangle.h"
#include "agent/fde.h"
#include "agent/symbol_cache.h"
#include "agent/symbol_source.h"

#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL_ENTRY_BYTES 64 /* of the start-up code, if no unwind data says where it ends */
#define SYMBOL_DYNAMIC_MAX 256

_Static_assert(SYMBOL_CACHE_BYTES + SYMBOL_SOURCES_BYTES <= SYMBOL_BUDGET_BYTES, "one budget");

struct symbols {
	struct symbol_source *source; /* NULL: the object could not be opened so far */
	uint64_t entry;		      /* where a program begins; 0: none */
	char *bare;		      /* "[name]", for memory whose addresses mean nothing */
};

/* The frames of one address while they are put together; the names are copies. */
struct made {
	struct symbol_frame frames[SYMBOL_ANSWER_FRAMES_MAX];
	char *names[2 * SYMBOL_ANSWER_FRAMES_MAX + 1];
	size_t count, name_count;
};

static bool shorten;
static struct symbol_answer answer;
static struct made made; /* the last address that was not found in the cache */

void symbol_configure(const char *debug_path, bool shorten_templates)
{
	debugfile_configure(debug_path);
	shorten = shorten_templates;
}

static void forget_made(void)
{
	while (made.name_count)
		free(made.names[--made.name_count]);
	made.count = 0;
}

static void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	symbol_cache_forget(s);
	forget_made();
	symbol_source_free(s->source);
	free(s->bare);
	free(s);
}

/* Shared objects have an entry point too, which means something else or nothing. */
static bool is_library(const struct elf_file *elf)
{
	Elf64_Dyn dyn;

	for (size_t i = 0; i < elf->nsegments; i++) {
		const struct elf_file_segment *s = &elf->segments[i];

		for (uint64_t at = 0; s->type == PT_DYNAMIC && at < SYMBOL_DYNAMIC_MAX &&
				      (at + 1) * sizeof(dyn) <= s->filesz;
		     at++) {
			if (elf_file_read(elf, s->offset + at * sizeof(dyn), &dyn, sizeof(dyn)))
				return true;
			if (dyn.d_tag == DT_SONAME)
				return true;
			if (dyn.d_tag == DT_NULL)
				break;
		}
	}
	return false;
}

static uint64_t entry_of(const struct elf_file *elf)
{
	Elf64_Ehdr eh;

	return elf_file_read(elf, 0, &eh, sizeof(eh)) || is_library(elf) ? 0 : eh.e_entry;
}

static struct symbols *symbols_of(struct module *m)
{
	if (!m->symbols) {
		m->symbols = calloc(1, sizeof(*m->symbols));
		m->symbols_free = symbols_free;
	}
	/* A module that could not be opened so far may still be, through another process. */
	if (m->symbols && !m->symbols->source && !m->error && !m->anon) {
		symbol_cache_forget(m->symbols);
		m->symbols->source = symbol_source_new(m);
		m->symbols->entry = entry_of(&m->elf);
	}
	if (m->symbols && m->symbols->source && symbol_source_renew(m->symbols->source))
		symbol_cache_forget(m->symbols);
	return m->symbols;
}

static const char *bare_name(const struct module *m, struct symbols *s)
{
	if (m->name[0] == '[')
		return m->name;
	if (!s->bare && asprintf(&s->bare, "[%s]", m->name) < 0)
		s->bare = NULL;
	return s->bare ? s->bare : m->name;
}

static const char *keep(const char *name)
{
	char *copy = name ? strdup(name) : NULL;

	if (copy)
		made.names[made.name_count++] = copy;
	return copy;
}

/* Where the unnamed function begins, if the unwind data tells: its samples then share one name. */
static const char *fallback_name(struct module *m, uint64_t vaddr)
{
	uint64_t entry = m->symbols->entry, start = vaddr;
	struct fde fde;
	char *name;

	if (fde_find(module_frames(m), vaddr, &fde) == 0)
		start = fde.start;
	if (entry && (start == entry ||
		      (start == vaddr && vaddr > entry && vaddr - entry < SYMBOL_ENTRY_BYTES)))
		return "_start";
	if (asprintf(&name, "%s!0x%" PRIx64, m->name, start) < 0)
		return m->name;
	made.names[made.name_count++] = name;
	return name;
}

static bool mangled(const char *name)
{
	return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R' || name[1] == 'D');
}

/* The name to show: demangled, or if that cannot be done what DWARF calls it. */
static const char *shown(const char *linked, const char *dwarf_name, bool ada)
{
	const char *plain = keep(demangle(linked, shorten));

	if (!plain && ada)
		plain = keep(demangle_ada(linked));
	if (plain)
		return plain;
	return dwarf_name && mangled(linked) ? dwarf_name : linked;
}

/*
 * The outermost function is what the linker knows: its symbol is preferred, which tells clones
 * ("f.cold") and documented aliases ("read") from what DWARF calls them.
 */
static void make_frames(struct module *m, uint64_t vaddr)
{
	struct symbol_source *source = m->symbols->source;
	const char *linked = NULL;
	bool ada = false;
	size_t n = 1;

	symbol_answer_reset(&answer);
	if (source) {
		symbol_source_dwarf(source, vaddr, &answer);
		linked = keep(symbol_source_linked(source, vaddr));
		n = answer.count ? answer.count : 1;
		ada = answer.count ? answer.ada : symbol_source_ada(source);
	}
	for (size_t i = 0; i < n; i++) {
		const struct symbol_answer_frame *d = &answer.frames[i];
		const char *name = d->linkage ? d->linkage : d->name;

		if (i == n - 1 && linked)
			name = linked;
		if (!name)
			name = fallback_name(m, vaddr);
		made.frames[made.count++] = (struct symbol_frame){
		    .name = shown(name, d->name, ada),
		    .system_name = name,
		    .file = d->file,
		    .line = d->line,
		    .start_line = d->start_line,
		};
	}
	if (source)
		symbol_source_settle(source);
}

static const struct symbol_frame *make(struct module *m, uint64_t vaddr, size_t *count)
{
	const struct symbol_frame *frames;

	forget_made();
	make_frames(m, vaddr);
	*count = made.count;
	frames =
	    answer.hurried ? NULL : symbol_cache_add(m->symbols, vaddr, made.frames, made.count);
	return frames ? frames : made.frames;
}

size_t symbol_resolve(struct module *module, uint64_t vaddr, struct symbol_frame *out, size_t max)
{
	struct symbols *s = symbols_of(module);
	const char *name = s && module->anon ? bare_name(module, s) : module->name;
	const struct symbol_frame *frames = NULL;
	size_t count = 0;

	if (!max)
		return 0;
	if (s && !module->anon) {
		frames = symbol_cache_find(s, vaddr, &count);
		if (!frames)
			frames = make(module, vaddr, &count);
	}
	if (!frames) {
		*out = (struct symbol_frame){.name = name, .system_name = name};
		return 1;
	}
	count = count < max ? count : max;
	memcpy(out, frames, count * sizeof(*out));
	return count;
}
