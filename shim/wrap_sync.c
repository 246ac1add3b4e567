/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_sync.c - condition variables and semaphores, as far as threads idle at them. APP: a wake is
 * noted before the real call, else the woken thread runs first. Waits with a time limit are how locks
 * and timers wait, not how pools do: they keep what the thread was doing.
 */
#include <pthread.h>
#include <semaphore.h>

#include "shim/handoff.h"
#include "shim/interpreter.h"
#include "shim/observe.h"
#include "shim/real.h"

EXPORT int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
	bool noted = false;
	int result;

	if (!interpreter_has(condition))
		OBSERVE(noted = handoff_waits(thread, condition));
	result = REAL(pthread_cond_wait)(condition, mutex);
	OBSERVE(handoff_woken(thread, condition, noted));
	return result;
}

EXPORT int pthread_cond_signal(pthread_cond_t *condition)
{
	OBSERVE(handoff_wakes(thread, condition, false));
	return REAL(pthread_cond_signal)(condition);
}

EXPORT int pthread_cond_broadcast(pthread_cond_t *condition)
{
	OBSERVE(handoff_wakes(thread, condition, true));
	return REAL(pthread_cond_broadcast)(condition);
}

EXPORT int sem_wait(sem_t *semaphore)
{
	bool noted = false;
	int result;

	OBSERVE(noted = handoff_waits(thread, semaphore));
	result = REAL(sem_wait)(semaphore);
	OBSERVE(handoff_woken(thread, semaphore, noted));
	return result;
}

EXPORT int sem_post(sem_t *semaphore)
{
	OBSERVE(handoff_wakes(thread, semaphore, false));
	return REAL(sem_post)(semaphore);
}
