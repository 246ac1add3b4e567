/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that a walk sees: vetted unwind data, the copied slice of stack, the files behind the
 * maps. AGENT. Private to unwind_libunwind.c.
 */
#ifndef SPANPROF_AGENT_UNWIND_MEMORY_H
#define SPANPROF_AGENT_UNWIND_MEMORY_H

#include "agent/unwind_libunwind.h"

#define UNWIND_MODULE_SLOTS 64 /* power of two */

/*
 * Where frames may appear. A description that never defines its frame address makes libunwind run
 * the expression at address 0, which nobody vetted: nothing is readable there, whatever the slice
 * or a mapping claims. The end keeps frames away from libunwind's one-entry table.
 */
#define UNWIND_LOWEST_ADDR 4096
#define UNWIND_HIGHEST_ADDR (UINT64_C(1) << 56)

/* Remembers which module a mapping is; named by generation, as maps are replaced in place. */
struct unwind_memory_slot {
	const struct maps_entry *entry;
	uint64_t generation, past; /* of the map, and of what lay there before */
	struct module *module;
};

struct unwind_memory {
	struct modules *modules;
	struct unwind_memory_slot slots[UNWIND_MODULE_SLOTS];

	/* The walk under way. */
	const struct unwind_input *in;
	unsigned int reads;
	bool beyond; /* what lies above the slice was asked for */

	/*
	 * Where .eh_frame of the object being stepped through appears in the process. It is looked
	 * at before the stack slice: a slice that claims the same addresses must not replace bytes
	 * that were vetted.
	 */
	uint64_t frames_addr;
	const struct module_frames *frames;
	/* While an FDE's header is parsed, pointers it holds are followed for values nobody uses. */
	bool parsing_header;
};

struct module *unwind_memory_module(struct unwind_memory *m, const struct maps_entry *entry);
/* That addresses have; aarch64 may put a signature above them. */
uint64_t unwind_memory_bits(const struct unwind_memory *m);
bool unwind_memory_read(struct unwind_memory *m, uint64_t addr, uint64_t *word);
bool unwind_memory_stack(struct unwind_memory *m, uint64_t addr, uint64_t *word);

#endif
