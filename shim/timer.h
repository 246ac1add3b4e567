/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer.h - one timer for each thread, on that thread's own CPU clock. All by raw system calls, so any
 * context may call them; times are in nanoseconds of CPU time. Follows timer_create(2): the timer is
 * the process's, its signal goes to one thread (SIGEV_THREAD_ID), a fork child has none, exec ends it.
 */
#ifndef SPANPROF_SHIM_TIMER_H
#define SPANPROF_SHIM_TIMER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Set in BOOT, before the first timer. period_ns in [1 ms, 1 s]. */
void timer_configure(uint64_t period_ns, int signal);
/* APP: threads armed from now on use this signal. */
void timer_use_signal(int signal);
int timer_signal(void);
uint64_t timer_period_ns(void);

/* When a timer was armed and when it first fires, both on its thread's CPU clock. */
struct timer_phase {
	uint64_t armed_ns, first_ns;
};

/*
 * Make and arm a timer for the thread tid of this process, first expiry random in (0, period].
 * Returns its id or -errno (EAGAIN: RLIMIT_SIGPENDING, which is per user, is used up).
 */
int timer_arm(int tid, struct timer_phase *phase);
/* How often a timer of that phase must have fired by now, by the thread's CPU clock. */
uint64_t timer_due(int tid, const struct timer_phase *phase);
void timer_disarm(int id);
/* HANDLER: whether the signal comes from one of our timers. */
bool timer_is_ours(const siginfo_t *info);

#endif
