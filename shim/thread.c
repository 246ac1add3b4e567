/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.c - registers threads, arms and deletes their timers, and keeps the list of them that a
 * change of signal needs. BOOT and APP; the handler only reads the calling thread's record.
 *
 * Lock order: the registry's lock is the only one the host side has. It is never held across a call
 * that can block, and a fork child starts with it free.
 */
#include <pthread.h>
#include <sys/auxv.h>

#include "shim/attach.h"
#include "shim/log.h"
#include "shim/push.h"
#include "shim/raw.h"
#include "shim/region.h"
#include "shim/self.h"
#include "shim/thread.h"
#include "shim/timer.h"

#define THREAD_MAIN_STACK (64UL << 20) /* below the end of the main stack nothing else is mapped */

__thread struct thread thread_self __attribute__((tls_model("initial-exec")));

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread *registry;

static void link_thread(struct thread *t)
{
	t->previous = NULL;
	t->next = registry;
	if (registry)
		registry->previous = t;
	registry = t;
}

static void unlink_thread(struct thread *t)
{
	if (t->previous)
		t->previous->next = t->next;
	else
		registry = t->next;
	if (t->next)
		t->next->previous = t->previous;
}

void thread_arm(struct thread *t)
{
	int id = THREAD_NO_TIMER;

	atomic_store_explicit(&t->credited, 0, memory_order_relaxed);
	t->phase.first_ns = 0;
	if (self_state() != SELF_FAILED) {
		id = timer_arm(t->tid, &t->phase);
		if (id < 0)
			count(FEED_COUNTER_timer_failed, 1);
	}
	t->timer = id < 0 ? THREAD_NO_TIMER : id;
}

void thread_settle(void)
{
	struct thread *t = &thread_self;
	uint64_t due, credited;

	if (!atomic_load_explicit(&t->registered, memory_order_relaxed))
		return;
	pthread_mutex_lock(&registry_lock);
	if (t->timer != THREAD_NO_TIMER)
		timer_disarm(t->timer);
	else
		t->phase.first_ns = 0;
	t->timer = THREAD_NO_TIMER;
	pthread_mutex_unlock(&registry_lock);
	due = timer_due(t->tid, &t->phase);
	credited = atomic_load_explicit(&t->credited, memory_order_relaxed);
	t->phase.first_ns = 0;
	if (due > credited && due - credited <= UINT32_MAX)
		push_ended(t, (uint32_t)(due - credited));
}

void thread_main_stack(char **argv, uintptr_t *low, uintptr_t *high)
{
	/* argv's pointers follow the entry's frame; above them no return address lies. Without argv,
	 * the kernel's random bytes, which lie above them on the same stack, are the bound. */
	*high = argv ? (uintptr_t)argv : (uintptr_t)getauxval(AT_RANDOM) & ~(uintptr_t)7;
	*low = *high - THREAD_MAIN_STACK;
}

void thread_start(uintptr_t stack_low, uintptr_t stack_high)
{
	struct thread *t = &thread_self;

	if (atomic_load_explicit(&t->registered, memory_order_relaxed))
		return;
	t->tid = (int32_t)raw0(SYS_gettid);
	t->stack_low = stack_low;
	t->stack_high = stack_high;
	t->timer = THREAD_NO_TIMER;
	attribute_start(t);
	atomic_store_explicit(&t->registered, 1, memory_order_relaxed);
	pthread_mutex_lock(&registry_lock);
	link_thread(t);
	thread_arm(t);
	pthread_mutex_unlock(&registry_lock);
}

void thread_stop(void)
{
	struct thread *t = &thread_self;

	if (!atomic_load_explicit(&t->registered, memory_order_relaxed))
		return;
	thread_settle();
	pthread_mutex_lock(&registry_lock);
	unlink_thread(t);
	pthread_mutex_unlock(&registry_lock);
	attribute_end(t);
	atomic_store_explicit(&t->registered, 0, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	self_enter();
	if (t->ring.control && self_state() == SELF_READY && t->ring.key == self_page->key)
		ring_release(&t->ring);
	self_leave();
	otel_thread_ctx_v1 = NULL;
}

void thread_forked(void)
{
	struct thread *t = &thread_self;

	registry_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	registry = NULL;
	if (!atomic_load_explicit(&t->registered, memory_order_relaxed))
		return;
	/* The parent's wrapper may have been interrupted by the handler that forked. */
	t->observing = 0;
	t->tid = (int32_t)raw0(SYS_gettid);
	t->ring.control = NULL;
	t->timer = THREAD_NO_TIMER;
	link_thread(t);
	thread_arm(t);
}

void thread_each(void (*fn)(struct thread *, void *), void *arg)
{
	pthread_mutex_lock(&registry_lock);
	for (struct thread *t = registry; t; t = t->next)
		fn(t, arg);
	pthread_mutex_unlock(&registry_lock);
}
