/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - forks and confinement: what a new process inherits, and what must happen before a call
 * after which attaching, or the signal handler's return, is no longer possible. Context: APP, BOOT.
 */
#ifndef SPANPROF_SHIM_PROCESS_H
#define SPANPROF_SHIM_PROCESS_H

/* BOOT: be told of forks through the C library. Raw clones are noticed by the state page instead. */
void process_watch_forks(void);
/* APP, in a fork child. */
void process_forked(void);
/* Before unshare, setns, chroot: attach now, since afterwards it may fail. */
void process_attach_first(void);
/* Before a seccomp filter: it may forbid rt_sigreturn. No timer of ours may fire from here on. */
void process_disarm(void);
/* What wrap_syscall.c asks before it jumps to the real syscall(), whose address it gets. */
void *process_before_syscall(long number, long first);

#endif
