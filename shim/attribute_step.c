/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_step.c - the rules for tasks that take turns on a thread, where the runtime's switch can be
 * seen. APP. What a task answers says whose all of its steps since its last answer were; so their
 * samples wait under a number, a ticket, and are told together. A request that is not yet answered in
 * full owns the task's steps from the start.
 */
#include <string.h>

#include "shim/attribute_turn.h"
#include "shim/live.h"
#include "shim/thread.h"

#define TAIL_DOUBT 1024
#define TAIL_HELD 16 /* more evidence than that may not come while samples are held */

static const struct feed_context nobody;
static const struct attribute_owner nobodys;

/* a began after b. */
static bool is_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

/* The step's group is the last. */
static void count_step(struct attribution *a)
{
	struct attribution_steps *steps = &a->steps;
	uint32_t newest = live_newest();

	if (!steps->count || (steps->each[steps->count - 1].newest != newest &&
			      steps->count < ATTRIBUTION_GROUPS)) {
		steps->each[steps->count].ticket = 0;
		steps->each[steps->count].oldest = newest;
		steps->each[steps->count].since = a->began[1];
		steps->each[steps->count].until = a->began[0];
		steps->each[steps->count].late = a->blocked || a->read;
		steps->count++;
	}
	steps->each[steps->count - 1].newest = newest;
}

uint64_t attribute_ticket(struct thread *t)
{
	struct attribution *a = &t->attribution;
	uint64_t *ticket;

	if (a->mode != ATTRIBUTION_TASK)
		count_step(a);
	ticket = &a->steps.each[a->steps.count - 1].ticket;
	if (!*ticket)
		*ticket = ++a->last_ticket;
	return *ticket;
}

static void tell(struct thread *t, unsigned group, const struct attribute_owner *owner)
{
	uint64_t *ticket = &t->attribution.steps.each[group].ticket;

	if (*ticket)
		trial_tell(t, *ticket, owner);
	*ticket = 0;
}

static void tell_all(struct thread *t, const struct attribute_owner *owner)
{
	for (unsigned i = 0; i < t->attribution.steps.count; i++)
		tell(t, i, owner);
	t->attribution.steps.count = 0;
}

/*
 * A client's read that finds nobody waiting for it is stored and has no task go on: its task is still at
 * something else, and will come upon it there. The first read behind which a task is scheduled need not be
 * the reason, since timers follow the reads; but of many no more than one passes for it so.
 */
void attribute_scheduled(struct thread *t)
{
	live_wake(t->attribution.heard);
}

/*
 * What it hangs on that the first step of a group, before which the request began, was for that: then its head
 * had a task go on, and the step came in the next turn, at once, and before anything that only this turn brought.
 */
static uint64_t woken(const struct attribution *a, unsigned group, uint32_t request)
{
	if (is_after(request, a->steps.each[group].oldest))
		return TRIAL_NEVER;
	if (!live_woke(request) || !is_after(request, a->steps.each[group].since) ||
	    is_after(request, a->steps.each[group].until) || a->steps.each[group].late) {
		trial_fail(TRIAL_TAIL, TAIL_DOUBT);
		return TRIAL_NEVER;
	}
	trial_proof(TRIAL_TAIL);
	return trial_left(TRIAL_TAIL) > TAIL_HELD ? TRIAL_NEVER : trial_number(TRIAL_TAIL);
}

/*
 * A task's first answer says whose its steps were. From a later one's they may also be the tail of the
 * answer before. Steps from before the later request began are. One that had begun when the answer before
 * was complete was waiting for the task, which took it up at once. For any other the task itself waited,
 * if its first step since comes in the very next turn; else it was still at the tail, and tasks of this
 * process are known to do such.
 */
void attribute_settle(struct thread *t, struct attribute_owner *owner)
{
	struct attribution *a = &t->attribution;
	struct attribute_owner last = trial_owner(&a->request, 0);
	struct feed_context said = owner->request;
	bool looked = !a->request.flags || !is_after(said.request, a->steps.answered);
	uint64_t trial = looked ? 0 : TRIAL_NEVER;

	if (a->mode != ATTRIBUTION_TASK)
		return;
	for (unsigned i = 0; i < a->steps.count; i++) {
		if (is_after(said.request, a->steps.each[i].newest)) {
			tell(t, i, &last);
			continue;
		}
		if (!looked)
			trial = woken(a, i, said.request);
		looked = true;
		*owner = trial_owner(&said, trial);
		tell(t, i, owner);
	}
	a->steps.count = 0;
	*owner = trial_owner(&said, trial);
}

bool attribute_step(struct thread *t, const struct attribution_task *task)
{
	struct attribution *a = &t->attribution;
	struct attribute_owner owner = attribute_inherited(t);
	struct feed_context request = task->request;
	enum attribution_mode mode = live_has(request.request) ? task->mode : ATTRIBUTION_TASK;

	if (a->mode == ATTRIBUTION_SAID || a->step)
		return false;
	if (task->mixed)
		mode = ATTRIBUTION_LOST;
	else if (!request.flags && !task->steps.count && live_sole(t->tid, &request))
		mode = ATTRIBUTION_SOLE;
	a->step = true;
	a->heard = 0;
	a->mixed = task->mixed;
	a->steps = task->steps;
	attribute_turn(t, &owner, mode, &request);
	if (mode == ATTRIBUTION_TASK)
		count_step(a);
	return true;
}

/* What the next step begins with. */
static void keep(const struct attribution *a, struct attribution_task *task)
{
	memset(task, 0, sizeof(*task));
	task->mixed = a->mixed;
	if (a->mode != ATTRIBUTION_ACTIVE && a->mode != ATTRIBUTION_AFTER &&
	    a->mode != ATTRIBUTION_TASK)
		return;
	task->mode = a->mode;
	task->request = a->request;
}

void attribute_stepped(struct thread *t, struct attribution_task *task, bool ended)
{
	struct attribution *a = &t->attribution;
	/* A task may go on to its next request before it gives way. */
	bool over = a->mode == ATTRIBUTION_AFTER && !live_has(a->request.request);
	bool tail = over || a->mode == ATTRIBUTION_TASK, is_sole;
	struct attribute_owner owner = attribute_inherited(t), last = trial_owner(&a->request, 0);
	struct feed_context sole;

	keep(a, task);
	if (!tail || ended)
		/* A task that ends without another answer was at the tail of its last. */
		tell_all(t, tail ? &last : &nobodys);
	if (over)
		a->steps.answered = live_newest();
	if (a->mode != ATTRIBUTION_SAID) {
		is_sole = live_sole(t->tid, &sole);
		attribute_turn(t, tail && !ended ? NULL : &owner,
			       is_sole ? ATTRIBUTION_SOLE : ATTRIBUTION_NONE,
			       is_sole ? &sole : &nobody);
		/* The turn has its explanation. */
		a->called = true;
	}
	task->steps = a->steps;
	a->steps.count = 0;
	a->step = false;
	a->mixed = false;
}
