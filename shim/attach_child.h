/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach_child.h - what runs in the children that attaching clones into the host's address space: M,
 * for which the attaching thread waits, and G, which becomes the agent. Both share the host's memory,
 * its thread pointer included: raw system calls and static memory only.
 */
#ifndef SPANPROF_SHIM_ATTACH_CHILD_H
#define SPANPROF_SHIM_ATTACH_CHILD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/attach.h"
#include "shim/region.h"

/* Between the attaching thread and M. */
struct attach_work {
	/* For M. */
	struct region *region; /* to fill */
	const struct attach_plan *plan;
	int32_t pid;
	bool stay; /* host is pid 1: M stays, as the agent's parent */
	/* From M, all written before done. */
	enum attach_step step;
	long error; /* -errno */
	uint32_t slot, session;
	_Atomic uint32_t done; /* release by M, acquire by the host; a futex */
};

/* M's entry, and the top of its stack. One M at a time: the process state is CLAIMED. */
int attach_child(void *work);
void *attach_child_stack(void);

#endif
