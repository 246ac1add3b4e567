/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer.c - creates, arms and deletes the per-thread CPU timers. Any context: raw system calls on
 * memory of its own. The first expiry is random in (0, period]: threads that live shorter than a
 * period would otherwise never be seen, and longer ones would all be seen at the same phase.
 */
#include <stdatomic.h>
#include <time.h>

#include "shim/clock.h"
#include "shim/raw.h"
#include "shim/timer.h"
#include "shim/sigsafe.h"

#define NSEC_PER_SEC 1000000000ULL

/* Its address is the cookie by which the handler knows our timers' signals. */
static char cookie;

static uint64_t period_ns;
static _Atomic int timer_signo = SIGPROF;
static _Atomic uint64_t random_state;

/* The kernel's struct sigevent, as far as SIGEV_THREAD_ID needs it. */
struct timer_event {
	void *value;
	int signo;
	int notify;
	int tid;
	int pad[11];
};

void timer_configure(uint64_t period, int signal)
{
	period_ns = period;
	timer_signo = signal;
}

void timer_use_signal(int signal)
{
	timer_signo = signal;
}

int timer_signal(void)
{
	return timer_signo;
}

uint64_t timer_period_ns(void)
{
	return period_ns;
}

/* splitmix64 over a counter that starts at a clock: no lock, no libc, good enough for a phase. */
static uint64_t random_below(uint64_t bound)
{
	uint64_t z;

	z = atomic_fetch_add_explicit(&random_state, 0x9e3779b97f4a7c15ULL, memory_order_relaxed) +
	    clock_ns(CLOCK_MONOTONIC) * 0xd1342543de82ef95ULL;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) % bound;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / NSEC_PER_SEC),
				 .tv_nsec = (long)(ns % NSEC_PER_SEC)};
}

/* The clock id of another thread's CPU time: the kernel's encoding (posix-timers_types.h). */
static long thread_cpu_clock(int tid)
{
	return (long)(int)((~(unsigned)tid << 3) | 6U);
}

static uint64_t cpu_ns(int tid)
{
	return clock_ns(thread_cpu_clock(tid));
}

uint64_t timer_due(int tid, const struct timer_phase *phase)
{
	uint64_t now = cpu_ns(tid), first = phase->armed_ns + phase->first_ns;

	return now < first || !phase->first_ns ? 0 : 1 + (now - first) / period_ns;
}

int timer_arm(int tid, struct timer_phase *phase)
{
	uint64_t first = 1 + random_below(period_ns);
	struct timer_event event = {
		.value = &cookie, .signo = timer_signo, .notify = SIGEV_THREAD_ID, .tid = tid};
	struct itimerspec spec = {.it_interval = timespec_of(period_ns),
				  .it_value = timespec_of(first)};
	int id = -1;
	long error = raw3(SYS_timer_create, thread_cpu_clock(tid), &event, &id);

	if (error)
		return (int)error;
	*phase = (struct timer_phase){cpu_ns(tid), first};
	error = raw4(SYS_timer_settime, id, 0, &spec, NULL);
	if (error) {
		raw1(SYS_timer_delete, id);
		return (int)error;
	}
	return id;
}

void timer_disarm(int id)
{
	raw1(SYS_timer_delete, id);
}

bool timer_is_ours(const siginfo_t *info)
{
	return info->si_code == SI_TIMER && info->si_value.sival_ptr == &cookie;
}
