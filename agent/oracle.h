/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle.h - what a second walk of the same stack says about the first. Context: AGENT, only when
 * SPANPROF_VERIFY_STACKS asks for it. The first is the handler's, by published tables; the second is
 * libunwind's, over a copy of the registers and the stack.
 */
#ifndef SPANPROF_AGENT_ORACLE_H
#define SPANPROF_AGENT_ORACLE_H

#include "agent/oracle_place.h"

enum oracle_verdict {
	ORACLE_AGREE,
	ORACLE_GUESSED, /* they agree, and both had to step through undescribed code */
	ORACLE_FRAMELESS, /* the handler has a caller that no rule leads to: undescribed code without a
			     frame, or a rule that leads into no code */
	ORACLE_DISAGREE,
	ORACLE_SLICE,	/* they agree as far as libunwind had stack to read */
	ORACLE_STOPPED, /* ... as far as libunwind got: what comes next it could not do */
	ORACLE_VERDICTS
};

struct oracle_figures {
	uint64_t verdicts[ORACLE_VERDICTS]; /* of stacks that the handler walked */
	uint64_t ends[UNWIND_END_COUNT];    /* of all */
	uint64_t alone; /* that only the agent walked */
	uint64_t early; /* of those, what rows describe all along: no tables yet, new ones just then, or
			   a walk that got lost */
};

struct oracle;

struct oracle *oracle_new(struct modules *modules, struct tables *tables);
void oracle_free(struct oracle *oracle);
/* A stack that the handler walked, and what libunwind makes of it. Notes the end as well. */
void oracle_compare(struct oracle *oracle, const struct oracle_place *place,
		    const struct oracle_walk *handler, const struct oracle_walk *libunwind);
/* A stack that the handler could not walk and the agent did. */
void oracle_alone(struct oracle *oracle, const struct oracle_place *place,
		  const struct oracle_walk *libunwind);
const struct oracle_figures *oracle_figures(const struct oracle *oracle);
/* The figures so far, into the log. */
void oracle_say(const struct oracle *oracle);

#endif
