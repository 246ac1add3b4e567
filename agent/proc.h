/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc.h - the few things the agent asks /proc. Context: AGENT. Every answer may be "unknown": /proc
 * may hide processes or not be there.
 */
#ifndef SPANPROF_AGENT_PROC_H
#define SPANPROF_AGENT_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The process behind a pidfd, in our pid namespace; -1 if it ended or cannot be told. */
pid_t proc_pid_of(int pidfd);
/* False only if the process is known to have started later than boottime_ns (CLOCK_BOOTTIME). */
bool proc_started_before(pid_t pid, uint64_t boottime_ns);
/* A descriptor bound to the process's present address space, or -1. */
int proc_open_maps(pid_t pid);
/* True once the address space behind such a descriptor is gone: the process ended or exec'ed. */
bool proc_maps_gone(int maps_fd);

#endif
