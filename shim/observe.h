/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observe.h - how a wrapper looks at a call: real call, OBSERVE(what was seen), return. errno is kept,
 * nested calls and threads without a record are skipped, and the guard is never held across the real
 * call, where a cancelled thread would keep it for ever. Calls that release a descriptor, and calls
 * that wait, observe first. Context: APP.
 */
#ifndef SPANPROF_SHIM_OBSERVE_H
#define SPANPROF_SHIM_OBSERVE_H

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "shim/self.h"
#include "shim/thread.h"

#define EXPORT __attribute__((visibility("default")))

/* What a thread is about to do needs more than a look: a fork child nobody noticed, a line to say. */
void observe_slow(struct thread *thread);
/* Say once, if so, why this process is inert. */
void observe_say(void);
/* Set when observe_slow has something to do in every thread; relaxed. */
extern _Atomic unsigned observe_attention;

static inline struct thread *observe_enter(void)
{
	struct thread *t = &thread_self;
	uint32_t state = self_state();

	if (!atomic_load_explicit(&t->registered, memory_order_relaxed) || t->observing)
		return NULL;
	t->observing = 1;
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(state == SELF_FRESH ||
				     atomic_load_explicit(&observe_attention, memory_order_relaxed),
			     0))
		observe_slow(t);
	return t;
}

static inline void observe_leave(struct thread *t)
{
	atomic_signal_fence(memory_order_seq_cst);
	t->observing = 0;
}

/* expression may use "thread", the caller's record. */
#define OBSERVE(expression)                                                                          \
	do {                                                                                         \
		int observe_errno_ = errno;                                                          \
		struct thread *thread = observe_enter();                                             \
		if (thread) {                                                                        \
			expression;                                                                  \
			observe_leave(thread);                                                       \
		}                                                                                    \
		errno = observe_errno_;                                                              \
	} while (0)

#endif
