/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoder.h - a thread that names and encodes one finished interval while the agent's loop goes on
 * draining: a first profile of a large program takes seconds, a ring is full sooner. Context: AGENT;
 * every call comes from the loop's thread.
 *
 * Symbols belong to this thread: nothing else calls symbol_resolve. What it shares with the loop is
 * the aggregate, which nobody changes any more; modules, whose facts are there before their error
 * says 0; and names of run-time code, which are only added to.
 */
#ifndef SPANPROF_AGENT_ENCODER_H
#define SPANPROF_AGENT_ENCODER_H

#include <stdbool.h>

#include "agent/aggregate.h"
#include "agent/export.h"

#define ENCODER_STACK_BYTES (8u << 20) /* demangling recurses */

struct encoder;

struct encoder *encoder_new(void);
/* Waits for what is under way, which nobody gets then. */
void encoder_free(struct encoder *e);
/* False: it is busy. The aggregate stays the caller's, and as it is until encoder_finish. */
bool encoder_start(struct encoder *e, const struct aggregate *a,
		   const struct export_options *options);
/* Between encoder_start and an encoder_finish that is true. */
bool encoder_busy(const struct encoder *e);
/* True once for what was started: part gets each part of it, *error is 0 or -errno. */
bool encoder_finish(struct encoder *e, export_part *part, void *arg, int *error);

#endif
