/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_signal.h - which signal the timers use. Context: BOOT, APP.
 */
#ifndef SPANPROF_SHIM_WRAP_SIGNAL_H
#define SPANPROF_SHIM_WRAP_SIGNAL_H

#include <stdbool.h>

#include "shim/shim.h"
#include "shim/timer.h"

/* Install the handler for SIGPROF, or for a real-time signal if SIGPROF is taken. False: for none. */
bool signal_take(void);
/* The signal's number while it is ours; 0 when we have none. */
static inline int signal_ours(void)
{
	return shim_active() ? timer_signal() : 0;
}
/* The host wants it: move to another. */
void signal_yield(void);

#endif
