/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_signal.h - which signal the timers use. Context: BOOT.
 */
#ifndef SPANPROF_SHIM_WRAP_SIGNAL_H
#define SPANPROF_SHIM_WRAP_SIGNAL_H

#include <stdbool.h>

/* Install the handler for SIGPROF, or for a real-time signal if SIGPROF is taken. False: for none. */
bool signal_take(void);

#endif
