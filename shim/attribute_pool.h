/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_pool.h - threads of a pool: they answer requests that others have read, and take the next off a queue
 * without a call. Context: APP, the thread itself.
 */
#ifndef SPANPROF_SHIM_ATTRIBUTE_POOL_H
#define SPANPROF_SHIM_ATTRIBUTE_POOL_H

#include "shim/attribute.h"

/* Another request was unfinished since the thread's last answer, and may be what it has worked for. */
bool pool_had_others(const struct thread *thread);
/* An unfinished request that another thread has read. */
bool pool_has(const struct thread *thread, const struct feed_context *request);
/* What it hangs on that the thread's work was for request, which it answers, where so much hangs on other. */
uint64_t pool_claim(const struct thread *thread, const struct feed_context *request, uint64_t other);

/* A stretch begins that an answer may claim: behind the answer to answered, or, NULL, when the thread was woken. */
void pool_begins(struct thread *thread, const struct feed_context *answered);
/* An answer begins, before it claims anything; the thread is about to idle. */
void pool_answer(struct thread *thread, const struct feed_context *request);
void pool_idle(struct thread *thread);

#endif
