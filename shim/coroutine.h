/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coroutine.h - tasks that take turns on a thread, where a runtime's switch from one to another can be
 * seen: each step is the work of the request that the task answers. A task is told by the address of an
 * object of the runtime's, which is never looked into. Context: APP.
 */
#ifndef SPANPROF_SHIM_COROUTINE_H
#define SPANPROF_SHIM_COROUTINE_H

#include <stdbool.h>

struct thread;

/* The thread begins a step of the task. True: call coroutine_leave() at its end; false: it is in a step
 * or a context of the program's already, and stays there. */
bool coroutine_enter(struct thread *thread, const void *task);
/* ended: it was the task's last, and the address may be another's from now on. */
void coroutine_leave(struct thread *thread, const void *task, bool ended);

#endif
