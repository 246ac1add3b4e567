/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the name of an address: the object's symbol, else one made of its name and the address.
 *
 * AGENT: called when a profile is exported, once for each distinct frame. Reads an object's
 * symbols on first use; the tables are symbol_elf.c's.
 */
#include "agent/symbol.h"

#include "agent/symbol_elf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL_BUCKETS 256 /* power of two */

/* A made-up name: kept so that its pointer is stable, counted because addresses are untrusted. */
struct fallback {
	struct fallback *next;
	uint64_t vaddr;
	char name[];
};

struct symbols {
	struct symbol_elf elf;
	bool loaded;
	struct fallback *buckets[SYMBOL_BUCKETS];
	size_t fallbacks;
	char *bare; /* "[name]", for memory whose addresses mean nothing */
};

static void symbols_free(struct symbols *s)
{
	for (size_t i = 0; s && i < SYMBOL_BUCKETS; i++) {
		for (struct fallback *f = s->buckets[i], *next; f; f = next) {
			next = f->next;
			free(f);
		}
	}
	if (s) {
		symbol_elf_release(&s->elf);
		free(s->bare);
	}
	free(s);
}

static struct symbols *symbols_of(struct module *m)
{
	if (!m->symbols) {
		m->symbols = calloc(1, sizeof(*m->symbols));
		m->symbols_free = symbols_free;
	}
	/* A module that could not be opened so far may still be, through another process. */
	if (m->symbols && !m->symbols->loaded && !m->error && !m->anon) {
		m->symbols->loaded = true;
		symbol_elf_load(&m->symbols->elf, &m->elf);
	}
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

static const char *fallback_name(const struct module *m, struct symbols *s, uint64_t vaddr)
{
	struct fallback **bucket, *f;
	int len;

	bucket = &s->buckets[(vaddr ^ vaddr >> 8 ^ vaddr >> 16) % SYMBOL_BUCKETS];
	for (f = *bucket; f; f = f->next)
		if (f->vaddr == vaddr)
			return f->name;
	len = snprintf(NULL, 0, "%s!0x%" PRIx64, m->name, vaddr);
	if (len < 0 || s->fallbacks >= SYMBOL_FALLBACK_MAX)
		return m->name;
	f = malloc(sizeof(*f) + (size_t)len + 1);
	if (!f)
		return m->name;
	snprintf(f->name, (size_t)len + 1, "%s!0x%" PRIx64, m->name, vaddr);
	f->vaddr = vaddr;
	f->next = *bucket;
	*bucket = f;
	s->fallbacks++;
	return f->name;
}

size_t symbol_resolve(struct module *module, uint64_t vaddr, struct symbol_frame *out, size_t max)
{
	struct symbols *s = symbols_of(module);
	const struct symbol_elf_entry *entry = s ? symbol_elf_find(&s->elf, vaddr) : NULL;
	const char *name = entry ? symbol_elf_name(&s->elf, entry) : NULL;

	if (!max)
		return 0;
	if (!name)
		name = !s	      ? module->name
		       : module->anon ? bare_name(module, s)
				      : fallback_name(module, s, vaddr);
	*out = (struct symbol_frame){.name = name, .system_name = name};
	return 1;
}
