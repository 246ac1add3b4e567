/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_wait.c - the thread looks up from its work: it waits for many descriptors, or what it has read says
 * that it turned to somebody who is not known. APP, the thread itself.
 */
#include "shim/attribute_doubt.h"
#include "shim/attribute_turn.h"
#include "shim/live.h"
#include "shim/thread.h"

static const struct feed_context nobody;

/* Back from a wait: with one unfinished request it can only be that one's turn. */
static void park(struct thread *t)
{
	struct attribution *a = &t->attribution;
	struct attribute_owner owner = attribute_inherited(t);
	struct feed_context sole;
	bool is_sole = live_sole(t->tid, &sole);

	if (!attribute_waited_for(t) && span_read(&t->span)->flags & FEED_SAMPLE_OPEN) {
		/* Nothing was known and nobody waits to hear: the stretch may as well go on. */
		if (a->mode == ATTRIBUTION_NONE && !is_sole)
			return;
		if (a->mode == ATTRIBUTION_SOLE && is_sole && attribute_same(&a->request, &sole))
			return;
	}
	attribute_turn(t, &owner, is_sole ? ATTRIBUTION_SOLE : ATTRIBUTION_NONE, is_sole ? &sole : &nobody);
}

void attribute_wait(struct thread *t, bool blocks)
{
	if (t->attribution.mode == ATTRIBUTION_SAID || t->attribution.step)
		return;
	doubt_unexplained(t);
	t->attribution.turn++;
	t->attribution.began[1] = t->attribution.began[0];
	t->attribution.began[0] = live_newest();
	t->attribution.called = t->attribution.several = t->attribution.read = false;
	t->attribution.unasked = false;
	t->attribution.heard = 0;
	t->attribution.blocked = blocks;
	trial_settle();
	park(t);
	attribute_afresh(&t->attribution);
}

void attribute_waited(struct thread *t)
{
	struct attribute_owner owner = attribute_inherited(t);

	/* What was sampled in the wait itself says nothing of what comes after. */
	if (t->attribution.mode != ATTRIBUTION_SAID && !t->attribution.step && attribute_waited_for(t))
		attribute_turn(t, &owner, t->attribution.mode, &t->attribution.request);
}

void attribute_woken(struct thread *t)
{
	if (t->attribution.mode == ATTRIBUTION_SAID || t->attribution.step)
		return;
	t->attribution.called = true;
	t->attribution.heard = 0;
	park(t);
	attribute_afresh(&t->attribution);
}

void attribute_read_several(struct thread *t)
{
	t->attribution.several = true;
	t->attribution.reader = true;
	attribute_woken(t);
}
