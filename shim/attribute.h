/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute.h - which request a thread is working on, from the calls it makes. Knows no protocol and
 * no descriptor: conn.c, handoff.c and the wrappers turn calls into these events. Context: APP, the
 * thread itself.
 *
 * A thread's time is cut into stretches by its own calls. Of some stretches the owner is known when
 * they begin; of others only the call that ends them tells, and samples taken meanwhile are labelled
 * then (docs/attribution.md has the rules and why).
 */
#ifndef SPANPROF_SHIM_ATTRIBUTE_H
#define SPANPROF_SHIM_ATTRIBUTE_H

#include <stdbool.h>

#include "shim/feed.h"

struct thread;

#define ATTRIBUTION_DEPTH 8 /* contexts entered by the program itself, one inside another */

enum attribution_mode {
	ATTRIBUTION_NONE,   /* parked: no request known; the next write to a client may claim it */
	ATTRIBUTION_ACTIVE, /* working on .request */
	ATTRIBUTION_AFTER,  /* .request was answered; this is its tail or the next one's head */
	ATTRIBUTION_SOLE,   /* back from a wait, and .request is the only one that can be meant */
	ATTRIBUTION_HANDED, /* .request was handed over by the thread's creator or waker */
	ATTRIBUTION_LOST,   /* some request that is not known: nobody's, and no write claims it */
	ATTRIBUTION_SAID,   /* the program said so itself: calls do not change it */
	/* A task's step, for a request that the task's next answer will name; .request: the one that it
	 * answered last. */
	ATTRIBUTION_TASK,
};

#define ATTRIBUTION_GROUPS 4
#define ATTRIBUTION_TRIALS 8

/*
 * Steps of a task since its last answer, in groups between which no request began; the last group also
 * holds what comes when there is no more room. Samples of a group wait under one number.
 */
struct attribution_steps {
	uint8_t count;
	uint32_t answered; /* the newest request when the last answer was complete */
	struct {
		uint64_t ticket;	 /* 0: no sample waits */
		uint32_t oldest, newest; /* the newest request at its first step, and at its last */
		uint32_t since, until;	 /* .. when the turn before that of its first step began, and
					    ended */
		bool late; /* nothing of that turn woke its first step */
	} each[ATTRIBUTION_GROUPS];
};

/* A thread that takes requests off a queue: attribute_pool.c. */
struct attribution_worker {
	bool any;		  /* it has answered one that another had read */
	uint32_t answers, worked; /* how often lately, and how often it was sampled before */
	uint64_t answered_ns;	  /* its CPU time at the last of those; 0: there is none */
	bool alone; /* at most one request of the process was unfinished when its stretch began */
	uint32_t since; /* .. then: the newest request but that one */
};

struct attribution {
	enum attribution_mode mode;
	bool several; /* in this turn one read brought several requests */
	bool called;   /* since the last wait a call was seen that means nothing by itself */
	bool unasked; /* .. a connection came or went that no request waits for */
	/* How much speaks for requests taking turns on this thread without a call. See doubted(). */
	uint8_t doubt;
	uint8_t depth;
	bool foreign;	/* AFTER: another thread had read .request, so that the next may come off a queue */
	bool in_a_row;	/* since its last answer it has neither waited nor read */
	bool worked;	/* a stretch that ended since then, or since it last did, was sampled */
	bool reader;	/* it has read a request */
	struct attribution_worker worker;
	bool created;	/* in a request, and has not idled since */
	uint32_t alone; /* HANDED: what live_alone() said when it was handed over */
	bool blocked;	/* the last wait might have lasted: nothing was ready to go on */
	bool read;	/* since then bytes of a client came, outside tasks */
	uint32_t heard; /* the request of the last of those, until a step; 0: none */
	uint64_t guess; /* ACTIVE: .request is no more than a guess, of that trial; 0: it is not */
	uint32_t turn;	/* counts waits */
	uint32_t looked_ahead; /* the last turn in which an answer claimed what came before */
	bool step;     /* inside a task's step: nothing that the thread waits for ends it */
	bool mixed;    /* .. of a task that answers several requests at a time */
	struct attribution_steps steps; /* step: its task's */
	uint32_t began[2]; /* the newest request when this turn began, and the one before */
	uint64_t last_ticket;
	uint64_t held; /* AFTER: the ticket of what may be the tail or the next one's; 0: no sample waits */
	struct feed_context request;
	/* What the program's own contexts will give way to, outermost first. */
	struct {
		enum attribution_mode mode;
		struct feed_context request;
	} outer[ATTRIBUTION_DEPTH];
};

/* What is known of a task between its steps; all 0: nothing. */
struct attribution_task {
	enum attribution_mode mode;
	bool mixed;
	struct attribution_steps steps;
	struct feed_context request;
};

/* Threads created in a request that must still end without having idled before another such is believed
 * to be a helper rather than one of a pool: of the process, whose threads are all the same program's. */
extern _Atomic uint32_t attribute_helpers_unproven;

/*
 * Whether the process answers each request when it has worked on it, or works on several and answers them
 * all: then the first answer would claim the work for all of them. Of stretches that an answer looked
 * back on, and of those between it and the next one of the same turn: how many were sampled. Likewise of those
 * from one read of a request to the next, and of those before calls for several went out together. Of the
 * process; relaxed, and a lost count does not matter.
 */
struct attribution_batches {
	_Atomic uint32_t firsts, firsts_sampled;
	_Atomic uint32_t nexts, nexts_sampled;
	_Atomic uint32_t reads, reads_sampled;
	_Atomic uint32_t gathered, gathered_sampled;
	_Atomic uint32_t unnamed; /* so many answers ago, and less, a thread went on to another without a call */
};
extern struct attribution_batches attribution_batches;

/*
 * Answers by threads that did not work for them (attribute_carried.c): whether a thread worked for two in a row
 * with no wait between; and for how many more answers several threads lately answered on one connection. Of the
 * process; relaxed likewise.
 */
struct attribution_carried {
	_Atomic uint32_t in_a_row, lately;
};
extern struct attribution_carried attribution_carried;

/* BOOT. The process as a whole works on a span (TRACEPARENT in its environment): whatever its threads
 * do is that one's, until the process turns out to serve requests. */
void attribute_default(const struct feed_context *context);
/* APP, BOOT. The thread's first event; or the first one since the process has seen a request. */
void attribute_start(struct thread *thread);

/* A complete head arrived on a connection, or more bytes of a connection with a live request. */
void attribute_read(struct thread *thread, const struct feed_context *request);
/* Bytes go out to a client whose request is live; begins: the first ones of its answer. */
void attribute_write(struct thread *thread, const struct feed_context *request, bool begins);
/* Bytes went out to a client for several of its requests at once. */
void attribute_write_mixed(struct thread *thread);
/* Bytes go out to a server on behalf of a request, or come from it, or to a client that are no
 * answer yet; guess: as attribute_guess() said. */
void attribute_upstream(struct thread *thread, const struct feed_context *request, uint64_t guess);
void attribute_answered(struct thread *thread, const struct feed_context *request, uint64_t guess);
/* The thread is about to tell that by attribute_upstream(), of a call on a connection that stood already: who
 * worked on another, or has answered one, has turned to this one before. */
void attribute_asks(struct thread *thread, const struct feed_context *request);
/* Bytes go out to a server for a request that is not known. */
void attribute_asks_unknown(struct thread *thread);
/* Bytes went out to a server for several requests at once. */
void attribute_upstream_mixed(struct thread *thread);
/* What went out names another request than the one it was lent to: the thread's calls mislead. */
void attribute_misled(struct thread *thread);
/* Any other call that moves data: a file, a pipe. It may be what some request's work waited for. */
void attribute_other(struct thread *thread);
/* A connection was taken, which no request waits for. */
void attribute_accepted(struct thread *thread);
/* The thread is about to end a client's connection, with no unfinished request. */
void attribute_ended(struct thread *thread);
/* The thread is about to wait for readiness of many descriptors, for any time if blocks, and has done so. */
void attribute_wait(struct thread *thread, bool blocks);
void attribute_waited(struct thread *thread);
/* The thread was woken by a message of another: what it does next may be anybody's. */
void attribute_woken(struct thread *thread);
/* The thread is about to wait for another, for as long as that takes: a queue is empty. */
void attribute_idle(struct thread *thread);
/* The thread wakes one that works on the same request, and waited: what it did was for that. */
void attribute_returned(struct thread *thread);
/* It was handed a request, if so, and has done its part. */
void attribute_passed_on(struct thread *thread);
/* Bytes go out to a client whose request is not known. */
void attribute_write_unknown(struct thread *thread);
/* Two threads have answered on one connection of several streams. */
void attribute_shared_answers(void);
/* Several requests of one client came at once: which is worked on first is not known. */
void attribute_read_several(struct thread *thread);
/* Bytes came from a client whose request is not known (TLS, another protocol, half a head). */
void attribute_read_unknown(struct thread *thread);
/* The thread may be about to block: what followed an answer up to here was its request's. A read explains
 * the time before it. */
void attribute_tail(struct thread *thread, bool reads);
/* The thread ends. */
void attribute_end(struct thread *thread);
/* In a fork child, when the thread knows its new number; before: that in the parent. */
void attribute_forked(struct thread *thread, int32_t before);
/* A connection was seen whose state is unknown: whatever the thread does is nobody's. */
void attribute_lost(struct thread *thread);
/* The thread was woken for work on request; nothing if it has work of its own. alone: what live_alone()
 * said before the wake. */
void attribute_handed(struct thread *thread, const struct feed_context *request, uint32_t alone);
/* The thread begins; its creator works on request. */
void attribute_created(struct thread *thread, const struct feed_context *request, uint32_t alone);
/* The request that the thread is known to work on, to hand on; NULL: none. */
const struct feed_context *attribute_known(const struct thread *thread);
/* The same to lend: one that is in doubt is lent as a guess, of the trial that says whether it is right, if
 * not 0. */
const struct feed_context *attribute_guess(const struct thread *thread, uint64_t *guess);
/* That is the request of its last call, but the thread has others and may have turned to one without a call. */
bool attribute_among_others(const struct thread *thread);
/* What a program that the thread starts now works for; no flags: nobody knows. */
const struct feed_context *attribute_for_child(const struct thread *thread);
/* The program enters or leaves a context itself. Enter: false when they are too deep. */
bool attribute_enter(struct thread *thread, const struct feed_context *request);
void attribute_leave(struct thread *thread);
/* The thread begins a step of a task, until attribute_stepped(), which fills in what is known of the task
 * then; ended: it was the last. False: not so, since it is in another or in a context of the program's. */
bool attribute_step(struct thread *thread, const struct attribution_task *task);
void attribute_stepped(struct thread *thread, struct attribution_task *task, bool ended);
/* What the thread has just read or done has some task go on, which waits for its turn. */
void attribute_scheduled(struct thread *thread);

#endif
