/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c - fork children and confinement. APP. A child keeps its parent's region and claims a slot
 * of its own at once, so that the agent knows of it while the parent still lives; its one thread is
 * armed again, unless the process is inert.
 */
#include <pthread.h>

#include "shim/attach.h"
#include "shim/process.h"
#include "shim/self.h"
#include "shim/thread.h"
#include "shim/timer.h"

void process_forked(void)
{
	if (self_state() != SELF_FRESH)
		return;
	attach_inherit();
	thread_forked();
}

void process_watch_forks(void)
{
	pthread_atfork(NULL, NULL, process_forked);
}

void process_attach_first(void)
{
	if (self_state() == SELF_IDLE)
		attach_now();
}

static void disarm(struct thread *t, void *unused)
{
	if (t->timer != THREAD_NO_TIMER)
		timer_disarm(t->timer);
	t->timer = THREAD_NO_TIMER;
}

void process_disarm(void)
{
	if (self_state() == SELF_FAILED)
		return;
	attach_give_up(ATTACH_CONFINED, 0);
	thread_each(disarm, NULL);
}
