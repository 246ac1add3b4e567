/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.h - one record for each host thread, in initial-exec TLS: its ring, its timer, the bounds of
 * its stack, and whose work it is doing. The thread itself is the only writer, in APP and HANDLER
 * context; other threads touch only the registry links and the timer, under the registry's lock.
 */
#ifndef SPANPROF_SHIM_THREAD_H
#define SPANPROF_SHIM_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/attribute.h"
#include "shim/ring.h"
#include "shim/span.h"
#include "shim/timer.h"

#define THREAD_NO_TIMER (-1)

struct thread {
	_Atomic uint32_t registered; /* 0: no sampling, wrappers pass through */
	uint32_t observing;	     /* a wrapper of this thread is inside OBSERVE */
	int32_t tid;
	int32_t timer;	    /* kernel timer id, or THREAD_NO_TIMER; registry lock */
	uint32_t ticks;	    /* written by the handler */
	/* The host believes that it blocks SIGPROF here; wrap_signal.c took it out. Writer and readers
	 * are the thread itself and its handler. */
	_Atomic uint32_t blocks_sigprof;
	/* Weight delivered since the timer was armed, and its phase: what is due at the thread's end but
	 * was not delivered, since the kernel looks at CPU timers only at its own ticks. */
	_Atomic uint64_t credited;
	struct timer_phase phase;
	uintptr_t stack_low; /* what lies between may be read when the stack pointer does too */
	uintptr_t stack_high;
	struct ring ring;
	struct span span;
	struct attribution attribution;
	bool woken; /* out of an idle wait, for work of some request's; handoff.c */
	struct {
		uintptr_t frame; /* of the wrapper of a session's read or write that it is in; 0: none */
		unsigned depth;	 /* of such functions inside */
		int fd;		 /* that the session has turned out to use; -1: not yet */
		void *library;	 /* the last such function: its library's code */
		int last;	 /* the last connection whose ciphertext the thread moved itself */
	} tls;
	struct thread *next, *previous; /* registry lock */
};

extern __thread struct thread thread_self __attribute__((tls_model("initial-exec")));

/* APP, BOOT. Arm a timer for t, which the caller alone touches or whose registry lock it holds. */
void thread_arm(struct thread *t);
/* BOOT, APP. Register the calling thread and arm its timer; safe to call twice. */
void thread_start(uintptr_t stack_low, uintptr_t stack_high);
/* APP, the thread's last act, however it ends. */
void thread_stop(void);
/* APP, BOOT. The thread or its process is about to end: account for what its last ticks missed. */
void thread_settle(void);
/* APP, in a fork child: forget the other threads, claim a slot, arm the surviving thread. */
void thread_forked(void);
/* BOOT. The main thread's stack; argv as the constructor got it, or NULL. */
void thread_main_stack(char **argv, uintptr_t *low, uintptr_t *high);
/* APP. Call fn for every registered thread, under the registry's lock. */
void thread_each(void (*fn)(struct thread *, void *), void *arg);

#endif
