/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One word at a time, from the first of the three places that has it. AGENT: called through
 * libunwind's accessors and by the steps that do without it. Bounded: a walk may ask so often.
 */
#include "agent/unwind_memory.h"

#include <string.h>

/* Above the slice and no farther than stacks are large: what a longer slice might have answered. */
#define UNWIND_BEYOND_MAX (64u << 20)

struct module *unwind_memory_module(struct unwind_memory *m, const struct maps_entry *entry)
{
	struct unwind_memory_slot *slot =
	    &m->slots[((uintptr_t)entry / sizeof(*entry)) % UNWIND_MODULE_SLOTS];
	uint64_t past = m->in->maps->past ? m->in->maps->past->generation : 0;

	if (slot->entry != entry || slot->generation != m->in->maps->generation ||
	    slot->past != past) {
		slot->past = past;
		slot->entry = entry;
		slot->generation = m->in->maps->generation;
		slot->module = module_get(m->modules, entry, m->in->pid);
	}
	return slot->module;
}

uint64_t unwind_memory_bits(const struct unwind_memory *m)
{
	const struct maps *maps = m->in->maps;

	return maps->count ? UINT64_MAX >> __builtin_clzll(maps->entries[maps->count - 1].end - 1)
			   : UINT64_MAX;
}

/* libunwind reads tables by aligned words, so the first and last may reach beyond the section. */
static bool read_frames(const struct unwind_memory *m, uint64_t addr, uint64_t *word)
{
	const struct module_frames *f = m->frames;
	uint64_t at = addr - m->frames_addr;

	if (!f || !f->len)
		return false;
	if (at < f->len && f->len - at >= sizeof(*word)) {
		memcpy(word, f->bytes + at, sizeof(*word));
		return true;
	}
	if (at >= f->len && -at >= sizeof(*word))
		return false;
	*word = 0;
	for (size_t i = 0; i < sizeof(*word); i++)
		if (at + i < f->len)
			*word |= (uint64_t)f->bytes[at + i] << 8 * i;
	return true;
}

bool unwind_memory_stack(struct unwind_memory *m, uint64_t addr, uint64_t *word)
{
	const struct unwind_input *in = m->in;
	uint64_t at = addr - in->stack_addr;

	if (addr < in->stack_addr)
		return false;
	if (at >= in->stack_len || in->stack_len - at < sizeof(*word)) {
		m->beyond |= at - in->stack_len < UNWIND_BEYOND_MAX;
		return false;
	}
	memcpy(word, in->stack + at, sizeof(*word));
	return true;
}

static bool read_file(struct unwind_memory *m, uint64_t addr, uint64_t *word)
{
	const struct maps_entry *entry = maps_find(m->in->maps, addr);
	struct module *module;

	if (!entry || !entry->readable || entry->writable)
		return false;
	module = unwind_memory_module(m, entry);
	return !module_read(module, module_vaddr(module, entry, addr), word, sizeof(*word));
}

bool unwind_memory_read(struct unwind_memory *m, uint64_t addr, uint64_t *word)
{
	if (addr < UNWIND_LOWEST_ADDR || ++m->reads > UNWIND_READS_MAX)
		return false;
	if (read_frames(m, addr, word))
		return true;
	if (m->parsing_header) {
		*word = 0;
		return true;
	}
	return unwind_memory_stack(m, addr, word) || read_file(m, addr, word);
}
