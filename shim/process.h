/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - forks and confinement: what a new process inherits, and what must happen before a call
 * after which attaching, or the signal handler's return, is no longer possible. Context: APP, BOOT.
 */
#ifndef SPANPROF_SHIM_PROCESS_H
#define SPANPROF_SHIM_PROCESS_H

#include "shim/attach.h"

/* BOOT: be told of forks through the C library. Raw clones are noticed by the state page instead. */
void process_watch_forks(void);
/* APP, in a fork child. */
void process_forked(void);
/* Before unshare, setns, chroot: attach now, since afterwards it may fail. */
void process_attach_first(void);
/*
 * Inert from here on, and no timer of ours fires any more: before a seccomp filter, which may forbid
 * rt_sigreturn (ATTACH_CONFINED), or when no signal is left for the timers (ATTACH_SIGNAL).
 */
void process_disarm(enum attach_step why);
/* What wrap_syscall.c asks before it jumps to the real syscall(), whose address it gets. */
void *process_before_syscall(long number, long first);

#endif
