/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handoff.h - work that passes from thread to thread where no descriptor shows it: a thread that works
 * on a request wakes one that idled. A directed wake (a condition variable signalled, a semaphore
 * posted) passes the request only to a thread that has none, and only while no other wake of the same
 * object is outstanding; else nobody knows which item the woken one finds. Context: APP.
 */
#ifndef SPANPROF_SHIM_HANDOFF_H
#define SPANPROF_SHIM_HANDOFF_H

#include <stdbool.h>

struct thread;

/* The thread is about to wait at object (a condition variable, a semaphore). True: that was
 * noted. */
bool handoff_waits(struct thread *thread, const void *object);
/* It came back. */
void handoff_woken(struct thread *thread, const void *object, bool noted);
/* The thread is about to wake one of object's waiters, or all of them. */
void handoff_wakes(struct thread *thread, const void *object, bool all);

#endif
