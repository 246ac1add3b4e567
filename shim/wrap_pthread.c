/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_pthread.c - threads: each gets a record and a timer before its start routine runs, and loses
 * them when it ends, by return, pthread_exit or cancellation alike. APP.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "shim/attribute.h"
#include "shim/live.h"
#include "shim/observe.h"
#include "shim/raw.h"
#include "shim/real.h"
#include "shim/region.h"
#include "shim/shim.h"
#include "shim/thread.h"
#include "shim/timer.h"

#define START_ABOVE 1024  /* the C library's own frames above ours: start_thread, clone */
#define START_GUARD 65536 /* at the low end: guard pages, whatever their size, and more */

struct start {
	void *(*routine)(void *);
	void *argument;
	size_t stack_size;
	uint32_t blocks_sigprof; /* as the mask, its creator's */
	struct feed_context request; /* that its creator works on; no flags: none */
	uint32_t alone;
};

static void cleanup(void *unused)
{
	thread_stop();
}

static void unblock_tick(void)
{
	uint64_t set = 1ULL << (timer_signal() - 1);

	raw4(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, NULL, sizeof(set));
}

static void *run(void *(*routine)(void *), void *argument)
{
	void *result;

	/* The C form: a record in the thread's own cleanup list, no unwind tables needed, and it runs
	 * for all three ways out. */
	pthread_cleanup_push(cleanup, NULL);
	result = routine(argument);
	pthread_cleanup_pop(1);
	return result;
}

static void *trampoline(void *arg)
{
	struct start start = *(struct start *)arg;
	uintptr_t self = (uintptr_t)pthread_self();
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	uintptr_t high = frame + START_ABOVE, low;

	free(arg);
	/* The thread's descriptor lies at the top of its stack, whoever allocated that. */
	if (self > frame && high > self)
		high = self;
	low = start.stack_size > START_GUARD ? high - start.stack_size + START_GUARD : frame;
	thread_self.blocks_sigprof = start.blocks_sigprof;
	unblock_tick();
	thread_start(low, high);
	if (start.request.flags)
		OBSERVE(attribute_created(thread, &start.request, start.alone));
	return run(start.routine, start.argument);
}

static size_t stack_size_of(const pthread_attr_t *given)
{
	pthread_attr_t standard;
	size_t size = 0;

	if (given)
		return pthread_attr_getstacksize(given, &size) == 0 ? size : 0;
	if (pthread_attr_init(&standard) != 0)
		return 0;
	pthread_attr_getstacksize(&standard, &size);
	pthread_attr_destroy(&standard);
	return size;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*routine)(void *), void *argument)
{
	const struct feed_context *request;
	struct start *start = NULL;
	int error;

	if (shim_active()) {
		start = malloc(sizeof(*start));
		if (!start)
			count(FEED_COUNTER_thread_failed, 1);
	}
	if (!start)
		return REAL(pthread_create)(thread, attributes, routine, argument);
	*start = (struct start){routine, argument, stack_size_of(attributes),
				thread_self.blocks_sigprof, {.flags = 0}, live_alone()};
	request = attribute_known(&thread_self);
	/* A loop that serves several starts threads of a pool, for whatever is in its queue. */
	if (request && !live_others(thread_self.tid, request->request))
		start->request = *request;
	error = REAL(pthread_create)(thread, attributes, trampoline, start);
	if (error)
		free(start);
	return error;
}
