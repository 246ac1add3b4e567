/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c - fork children and confinement. APP. A child keeps its parent's region and claims a slot
 * of its own at once, so that the agent knows of it while the parent still lives; its one thread is
 * armed again, unless the process is inert.
 */
#include <pthread.h>

#include "shim/attach.h"
#include "shim/attribute.h"
#include "shim/observe.h"
#include "shim/process.h"
#include "shim/region.h"
#include "shim/self.h"
#include "shim/thread.h"
#include "shim/timer.h"

void process_forked(void)
{
	int32_t before = thread_self.tid;

	if (self_state() != SELF_FRESH)
		return;
	/* A parent that ends before we have claimed (a daemon's first process) may leave a region that
	 * its agent has given up. Not at the first tick: by then we may have become another user. */
	if (attach_inherit() == SELF_IDLE && region_get() &&
	    atomic_load(&region_get()->header->up) == FEED_GONE)
		attach_now();
	thread_forked();
	attribute_forked(&thread_self, before);
}

/* A child would say again what its parent has not said yet. */
static void process_forking(void)
{
	if (atomic_load_explicit(&observe_attention, memory_order_relaxed))
		observe_say();
}

void process_watch_forks(void)
{
	pthread_atfork(process_forking, NULL, process_forked);
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

void process_disarm(enum attach_step why)
{
	if (self_state() == SELF_FAILED)
		return;
	attach_give_up(why, 0);
	thread_each(disarm, NULL);
}
