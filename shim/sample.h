/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.h - the signal handler: one tick of one thread becomes one record in its ring. HANDLER.
 */
#ifndef SPANPROF_SHIM_SAMPLE_H
#define SPANPROF_SHIM_SAMPLE_H

#include <signal.h>

/* Installed with SA_SIGINFO | SA_RESTART, without SA_ONSTACK, every signal but synchronous ones masked. */
void sample_handler(int signo, siginfo_t *info, void *ucontext);

#endif
