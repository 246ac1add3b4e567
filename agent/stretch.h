/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stretch.h - samples whose owner is not known yet: they wait until the end of their stretch says
 * whose they were (the second half of shim/attribute.c). Context: AGENT.
 */
#ifndef SPANPROF_AGENT_STRETCH_H
#define SPANPROF_AGENT_STRETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/aggregate.h"

/* Samples waiting at once; further ones are nobody's. */
#define STRETCH_PENDING_MAX 65536
/* A stretch that has not ended after so long is nobody's as far as profiles go. */
#define STRETCH_HOLD_NS 20000000000ULL

struct pending {
	struct pending *next;
	uint64_t stretch; /* or the ticket */
	struct stack *stack;
	uint64_t weight;
	uint64_t since_ns; /* agent's clock */
};

/* Tickets told under a trial that is not over, at once; further ones are nobody's. */
#define STRETCH_TRIED_MAX 4096

/* Whose all of a ticket were if the trial is passed. */
struct tried {
	struct tried *next;
	uint64_t ticket, trial, since_ns;
	struct feed_context owner;
};

/* One ring's; or what a process's threads that have ended left behind. */
struct stretches {
	struct pending *first, *last;	       /* in order of their stretches */
	struct pending *deferred, *deferred_last; /* ended, but the owner is a ticket's; by age */
	struct tried *tried, *tried_last;	  /* by age */
	uint64_t bequeathed; /* tickets of other rings, each with a number of its own here */
};

/* Where settled samples go. */
typedef void stretch_settled(void *arg, struct stack *stack, const struct feed_context *context,
			     uint64_t weight);

struct stretch_table {
	size_t pending, tried;
	stretch_settled *settled;
	void *arg;
};

/* Takes over the reference to stack. */
void stretch_hold(struct stretch_table *t, struct stretches *s, uint64_t stretch,
		  struct stack *stack, uint64_t weight, uint64_t now_ns);
/* The stretch's end: earlier ones whose end was lost are nobody's. */
void stretch_end(struct stretch_table *t, struct stretches *s, uint64_t stretch,
		 const struct feed_context *owner);
/* The stretch's end, whose owner stretch_settle() will tell for all of the ticket. */
void stretch_defer(struct stretch_table *t, struct stretches *s, uint64_t stretch, uint64_t ticket);
void stretch_settle(struct stretch_table *t, struct stretches *s, uint64_t ticket,
		    const struct feed_context *owner);
/* The owner of the ticket's, if that trial of the process is passed. */
void stretch_try(struct stretch_table *t, struct stretches *s, uint64_t ticket, uint64_t trial,
		 const struct feed_context *owner, uint64_t now_ns);
/* Settle those whose trial is over; verdicts: the process's, in shared memory. */
void stretch_judge(struct stretch_table *t, struct stretches *s,
		   const struct feed_verdict verdicts[FEED_TRIAL_KINDS]);
/* What waits in from for a verdict waits in to; the rest of from is nobody's. */
void stretch_bequeath(struct stretch_table *t, struct stretches *from, struct stretches *to);
/* Everything older than hold_ns, or everything if 0, is nobody's. */
void stretch_expire(struct stretch_table *t, struct stretches *s, uint64_t now_ns, uint64_t hold_ns);

#endif
