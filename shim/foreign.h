/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign.h - signals with our number that our timers did not send. HANDLER; wrap_signal.c (APP) says
 * what the host asked for.
 */
#ifndef SPANPROF_SHIM_FOREIGN_H
#define SPANPROF_SHIM_FOREIGN_H

#include <signal.h>
#include <stdatomic.h>

#define FOREIGN_SIGNALS 65

/* The handler the host installed for a signal that was ours once, wrapped to drop late ticks of ours.
 * Writer: wrap_signal.c; reader: foreign_guard. Zero: none. */
extern _Atomic(void *) foreign_handlers[FOREIGN_SIGNALS];

/* Someone sent our signal while the host has no handler for it: do what the host's bare self would. */
void foreign_signal(int signo, siginfo_t *info, void *ucontext);
/* Stands in for the host's handler, with the host's flags and mask. */
void foreign_guard(int signo, siginfo_t *info, void *ucontext);

#endif
