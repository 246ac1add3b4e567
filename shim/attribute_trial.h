/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_trial.h - what the process has not yet shown, and what hangs on that. A new process is on trial:
 * whose its stretches were is told under the trial's number, and the agent holds their samples until the
 * trial is over. Evidence against ends a trial, failed, and begins the next; so much for it passes it.
 * Context: APP.
 */
#ifndef SPANPROF_SHIM_ATTRIBUTE_TRIAL_H
#define SPANPROF_SHIM_ATTRIBUTE_TRIAL_H

#include <stdint.h>

#include "shim/attribute.h"

enum trial_kind {
	TRIAL_ORDER,  /* requests are answered as the calls make expect */
	TRIAL_BATCH,  /* .. and each before the next is worked on */
	TRIAL_READER, /* who reads a request works on it, rather than on one that another thread has read */
	TRIAL_READS,  /* of several that a thread has read, the last one is worked on; passed until it fails */
	TRIAL_TAIL,   /* tasks go on after an answer only when the next request wakes them */
	TRIAL_POOL,   /* what a pool's thread has worked since its last answer was for the next one */
	TRIAL_READER_ORDER, /* TRIAL_READER, and TRIAL_ORDER */
	TRIAL_READER_BATCH, /* .. and TRIAL_BATCH */
};

enum trial_state { TRIAL_PASSED, TRIAL_OPEN, TRIAL_FAILED };

#define TRIAL_NEVER UINT64_MAX /* as a number: hangs on what cannot come */

/* Whose a stretch was. No flags: nobody's. */
struct attribute_owner {
	struct feed_context request;
	uint64_t trial; /* 0: surely; never TRIAL_NEVER */
};

/* So much evidence for is still wanting. */
uint32_t trial_left(enum trial_kind kind);
/* One has failed, and the one after that is not passed. */
bool trial_again(enum trial_kind kind);
/* Some for it, some against: at least left is wanting from then on, and more each time that it fails
 * again soon. */
void trial_proof(enum trial_kind kind);
void trial_fail(enum trial_kind kind, uint32_t left);
/* The number of the current one; 0: it is passed. */
uint64_t trial_number(enum trial_kind kind);
/* What is left of a doubt by now: 0, the number, or TRIAL_NEVER. */
uint64_t trial_by_now(uint64_t number);
/* What hangs on both; TRIAL_NEVER where no trial asks for both. */
uint64_t trial_both(uint64_t one, uint64_t other);
/* The request's, as far as that trial goes. */
struct attribute_owner trial_owner(const struct feed_context *request, uint64_t number);

/* Whose all of the ticket's were; under the owner's trial. */
void trial_tell(struct thread *thread, uint64_t ticket, const struct attribute_owner *owner);
/* Tell the agent which of those that something was told under are over. */
void trial_settle(void);

#endif
