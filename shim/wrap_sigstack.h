/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_sigstack.h - is there room for a tick on alternate stacks? Context: APP.
 */
#ifndef SPANPROF_SHIM_WRAP_SIGSTACK_H
#define SPANPROF_SHIM_WRAP_SIGSTACK_H

#include <stdbool.h>

/*
 * The calling thread installs a handler that runs on an alternate stack: whether a tick may come while
 * it does. If so, that is taken back should a small stack appear.
 */
bool sigstack_roomy(int signo);

#endif
