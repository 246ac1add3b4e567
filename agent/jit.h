/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jit.h - names for code that processes make at run time, from what their runtimes tell perf: a
 * perf map (/tmp/perf-PID.map) or a jitdump. Context: AGENT. A frame is named when its sample is
 * drained, as the code may move later, and refers to the name: a module of its own holds names
 * instead of addresses, so that stacks of several processes are one if they read the same.
 */
#ifndef SPANPROF_AGENT_JIT_H
#define SPANPROF_AGENT_JIT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/aggregate.h"
#include "agent/client.h"
#include "agent/module.h"
#include "agent/symbol.h"

struct jit; /* the names of all processes */

struct jit *jit_new(void);
void jit_free(struct jit *jit);

/*
 * The name of the code at pc, which lies in memory without an object, to *frame; false: the process
 * tells of none. maps are the process's. For a return address pc is the byte before it.
 */
bool jit_frame(struct jit *jit, const struct client *client, struct process *process,
	       const struct maps *maps, uint64_t pc, uint64_t now_ns, struct frame *frame);
/*
 * How many bytes the code at the return address pc keeps on the stack below its own return address,
 * if it is of a kind whose code is known: CPython's trampolines, which keep no frame pointer on x86-64.
 * -1: it is not.
 */
int jit_kept(struct jit *jit, const struct client *client, struct process *process,
	     const struct maps *maps, uint64_t pc, uint64_t now_ns);
/* What such a frame is shown as; false: it is not one. */
bool jit_resolve(const struct frame *frame, struct symbol_frame *out);

/* What is kept of a process, in its field jit. */
void jit_process_free(struct jit_process *process);

#endif
