/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the answer to a push means, and how long to wait before the next try. Pure decisions, no
 * state and no network. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_RETRY_H
#define SPANPROF_AGENT_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_TRIES_MAX 8u
#define RETRY_SHORTEST_S 1u
#define RETRY_LONGEST_S 30u

enum retry_verdict {
	RETRY_STORED,
	RETRY_LATER,	 /* surely not stored, may be next time */
	RETRY_REJECTED,	 /* not stored and never will be */
	RETRY_AMBIGUOUS, /* may be stored: sent again it could be counted twice */
};

struct retry_outcome {
	long status;	  /* HTTP's; 0: no answer came */
	const char *body; /* start of the answer, never NULL */
	bool sent_whole;  /* the request may have left this machine entirely */
};

enum retry_verdict retry_judge(const struct retry_outcome *outcome);

/* After so many failures in a row (>= 1): 1 to 30 s, spread by random. */
uint64_t retry_delay_ns(unsigned failures, uint32_t random);

#endif
