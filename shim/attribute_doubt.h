/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_doubt.h - what speaks against taking a guess among several unfinished requests for true.
 * Context: APP, the thread itself.
 */
#ifndef SPANPROF_SHIM_ATTRIBUTE_DOUBT_H
#define SPANPROF_SHIM_ATTRIBUTE_DOUBT_H

#include "shim/attribute.h"
#include "shim/attribute_trial.h"

/* What it hangs on that request, rather than another of the thread's, is worked on: 0, or a trial. */
uint64_t doubt_about(const struct thread *thread, const struct feed_context *request);
/* The same, where only that speaks for it that it was read last, or answered last and nothing read since. */
uint64_t doubt_reads(const struct thread *thread, const struct feed_context *request);
/* That the thread works on what it has read, if on that at all (is_active), or on one after the other. */
uint64_t doubt_reader(const struct thread *thread, bool is_active);
/* Threads of the process were seen to take others' requests off a queue, and this may be doing so. */
bool doubt_queue(const struct thread *thread);
/* That a thread works on request because it has read it, for its samples. */
uint64_t doubt_active(const struct thread *thread, const struct feed_context *request);
/* That what hangs on order is request's because the thread answers it. */
uint64_t doubt_claim(const struct thread *thread, uint64_t order);
/* The same to hand on or to lend, for which a new process is given credit. */
uint64_t doubt_handing(const struct thread *thread, const struct feed_context *request);
/* That all of what came before the first answer of a turn was for request. */
uint64_t doubt_batched(const struct thread *thread, const struct feed_context *request);
enum trial_state doubt_batches(void);
/* The thread reads a head; it writes what several requests ask servers for, and whether that says nothing of what
 * it has worked on. */
void doubt_read(const struct thread *thread, const struct feed_context *request);
bool doubt_gathered(const struct thread *thread);

/* The thread is about to wait; a stretch ends by a call that says whose it was; an answer to request
 * begins, before it claims anything: the last for both. */
void doubt_unexplained(struct thread *thread);
void doubt_explained(struct thread *thread);
void doubt_answer(struct thread *thread, const struct feed_context *request);
void doubt_order(struct thread *thread, const struct feed_context *request);
/* Threads may go on from an answer to another request that they have read, without a call. */
bool doubt_goes_on(void);

/* An answer begins: note whether its thread has answered another without a wait between. */
void carried_answer(struct thread *thread, const struct feed_context *request);
/* Answers may go out by threads that did not work for them: they do not tell whose a stretch was. */
bool carried_lately(void);
/* Threads of the process work on one request after another without a wait between. */
bool carried_in_a_row(void);

#endif
