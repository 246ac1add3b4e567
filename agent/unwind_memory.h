/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a walk may read: the slice of stack in the record, and the files behind the maps.
 *
 * AGENT. Nothing is read from a live process.
 */
#ifndef SPANPROF_AGENT_UNWIND_MEMORY_H
#define SPANPROF_AGENT_UNWIND_MEMORY_H

#include "agent/unwind_libunwind.h"

#define UNWIND_MODULE_SLOTS 64 /* power of two */

/* Remembers which module a mapping is; named by generation, as maps are replaced in place. */
struct unwind_memory_slot {
	const struct maps_entry *entry;
	uint64_t generation, past; /* of the map, and of what lay there before */
	struct module *module;
};

struct unwind_memory {
	struct modules *modules;
	struct unwind_memory_slot slots[UNWIND_MODULE_SLOTS];
	const struct unwind_input *in; /* of the walk under way */
	/*
	 * Where .eh_frame of the object being stepped through appears in the process. It is looked
	 * at before the stack slice: a slice that claims the same addresses must not replace bytes
	 * that were vetted.
	 */
	uint64_t frames_addr;
	const struct module_frames *frames;
};

struct module *unwind_memory_module(struct unwind_memory *memory, const struct maps_entry *entry);

/* A word; false: it lies elsewhere. The first looks at .eh_frame alone, the second at the slice. */
bool unwind_memory_frames(const struct unwind_memory *memory, uint64_t addr, uint64_t *word);
bool unwind_memory_stack(const struct unwind_input *in, uint64_t addr, uint64_t *word);
bool unwind_memory_read(struct unwind_memory *memory, uint64_t addr, uint64_t *word);

#endif
