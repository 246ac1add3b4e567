/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push.h - events that wrappers put into the thread's ring, or the process's slot. Context: APP, the thread itself.
 */
#ifndef SPANPROF_SHIM_PUSH_H
#define SPANPROF_SHIM_PUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/feed.h"

struct thread;

/* Tell the agent whose a stretch was. A full ring drops it: its samples stay nobody's, counted. */
void push_stretch(struct thread *thread, uint64_t stretch, const struct feed_context *owner);
/* The stretch is over, and its owner is that of a ticket, a number of the thread's that push_ticket() tells
 * the owner of. Dropped: as above. */
void push_deferred(struct thread *thread, uint64_t stretch, uint64_t ticket);
/* trial: 0, or a number: it was owner's if that trial is passed, which push_verdict() tells. */
void push_ticket(struct thread *thread, uint64_t ticket, const struct feed_context *owner,
		 uint64_t trial);
/* For all tickets of the process under that trial; by any of its threads. */
void push_verdict(uint64_t trial, bool passed);
/* Periods of CPU time that the thread used after its last tick, by its end: nobody's, no stack. */
void push_ended(struct thread *thread, uint32_t weight);

#endif
