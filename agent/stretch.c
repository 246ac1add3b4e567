/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stretch.c - late labels. AGENT. A ring's records come in order, so what waits is a queue: an end for
 * stretch n settles everything up to n, as its owner's where the numbers agree and as nobody's where an
 * end was lost on the way. What waits on under a ticket has a list of its own, which is walked: it holds
 * what one thread's tasks were sampled with since their last answers. Some owners are told under a trial:
 * their tickets wait until that is over, which any thread of the process may have found, also when the thread that
 * they are of has ended.
 */
#include <stdlib.h>

#include "agent/stretch.h"

static const struct feed_context nobody;

static void settle(struct stretch_table *t, struct pending *p, const struct feed_context *owner)
{
	t->pending--;
	t->settled(t->arg, p->stack, owner, p->weight);
	stack_put(p->stack);
	free(p);
}

static struct pending *pop(struct pending **first, struct pending **last)
{
	struct pending *p = *first;

	*first = p->next;
	if (!*first)
		*last = NULL;
	p->next = NULL;
	return p;
}

static void append(struct pending **first, struct pending **last, struct pending *p)
{
	if (*first)
		(*last)->next = p;
	else
		*first = p;
	*last = p;
}

void stretch_hold(struct stretch_table *t, struct stretches *s, uint64_t stretch,
		  struct stack *stack, uint64_t weight, uint64_t now_ns)
{
	struct pending *p = t->pending < STRETCH_PENDING_MAX ? malloc(sizeof(*p)) : NULL;

	if (!p) {
		t->settled(t->arg, stack, &nobody, weight);
		stack_put(stack);
		return;
	}
	*p = (struct pending){NULL, stretch, stack, weight, now_ns};
	append(&s->first, &s->last, p);
	t->pending++;
}

void stretch_end(struct stretch_table *t, struct stretches *s, uint64_t stretch,
		 const struct feed_context *owner)
{
	while (s->first && s->first->stretch <= stretch) {
		bool ended = s->first->stretch == stretch;

		settle(t, pop(&s->first, &s->last), ended ? owner : &nobody);
	}
}

void stretch_defer(struct stretch_table *t, struct stretches *s, uint64_t stretch, uint64_t ticket)
{
	while (s->first && s->first->stretch <= stretch) {
		struct pending *p = pop(&s->first, &s->last);

		if (p->stretch == stretch) {
			p->stretch = ticket;
			append(&s->deferred, &s->deferred_last, p);
		} else {
			settle(t, p, &nobody);
		}
	}
}

/* Those of the ticket, in order; the others wait on. */
static struct pending *take_deferred(struct stretches *s, uint64_t ticket)
{
	struct pending *first = s->deferred, *last = s->deferred_last;
	struct pending *taken = NULL, *taken_last = NULL;

	s->deferred = s->deferred_last = NULL;
	while (first) {
		struct pending *p = pop(&first, &last);

		if (p->stretch == ticket)
			append(&taken, &taken_last, p);
		else
			append(&s->deferred, &s->deferred_last, p);
	}
	return taken;
}

void stretch_settle(struct stretch_table *t, struct stretches *s, uint64_t ticket,
		    const struct feed_context *owner)
{
	struct pending *taken = take_deferred(s, ticket), *last;

	while (taken)
		settle(t, pop(&taken, &last), owner);
}

static void append_tried(struct stretches *s, struct tried *tried)
{
	tried->next = NULL;
	if (s->tried)
		s->tried_last->next = tried;
	else
		s->tried = tried;
	s->tried_last = tried;
}

void stretch_try(struct stretch_table *t, struct stretches *s, uint64_t ticket, uint64_t trial,
		 const struct feed_context *owner, uint64_t now_ns)
{
	struct tried *tried = t->tried < STRETCH_TRIED_MAX ? malloc(sizeof(*tried)) : NULL;

	if (!tried) {
		stretch_settle(t, s, ticket, &nobody);
		return;
	}
	*tried = (struct tried){NULL, ticket, trial, now_ns, *owner};
	append_tried(s, tried);
	t->tried++;
}

static bool is_over(uint64_t trial, const struct feed_verdict *verdicts, bool *passed)
{
	const struct feed_verdict *v = &verdicts[trial % FEED_TRIAL_KINDS];
	uint64_t count = trial >> FEED_TRIAL_KIND_BITS;
	/* Pairs with the releases in shim/push.c. */
	uint32_t over = atomic_load_explicit(&v->over, memory_order_acquire);

	*passed = count == atomic_load_explicit(&v->passed, memory_order_acquire);
	return *passed || count <= over;
}

void stretch_judge(struct stretch_table *t, struct stretches *s,
		   const struct feed_verdict verdicts[FEED_TRIAL_KINDS])
{
	struct tried *first = s->tried, *next;
	bool passed;

	s->tried = s->tried_last = NULL;
	for (; first; first = next) {
		next = first->next;
		if (!is_over(first->trial, verdicts, &passed)) {
			append_tried(s, first);
			continue;
		}
		stretch_settle(t, s, first->ticket, passed ? &first->owner : &nobody);
		free(first);
		t->tried--;
	}
}

/* Those of the ticket are of that number in to. */
static void move_deferred(struct stretches *from, struct stretches *to, uint64_t ticket, uint64_t number)
{
	struct pending *taken = take_deferred(from, ticket), *last;

	while (taken) {
		struct pending *p = pop(&taken, &last);

		p->stretch = number;
		append(&to->deferred, &to->deferred_last, p);
	}
}

void stretch_bequeath(struct stretch_table *t, struct stretches *from, struct stretches *to)
{
	while (from->tried) {
		struct tried *tried = from->tried;

		from->tried = tried->next;
		move_deferred(from, to, tried->ticket, ++to->bequeathed);
		tried->ticket = to->bequeathed;
		append_tried(to, tried);
	}
	from->tried_last = NULL;
	stretch_expire(t, from, 0, 0);
}

static void expire(struct stretch_table *t, struct pending **first, struct pending **last,
		   uint64_t now_ns, uint64_t hold_ns)
{
	while (*first && (hold_ns == 0 || now_ns - (*first)->since_ns > hold_ns))
		settle(t, pop(first, last), &nobody);
}

void stretch_expire(struct stretch_table *t, struct stretches *s, uint64_t now_ns, uint64_t hold_ns)
{
	expire(t, &s->first, &s->last, now_ns, hold_ns);
	expire(t, &s->deferred, &s->deferred_last, now_ns, hold_ns);
	while (s->tried && (hold_ns == 0 || now_ns - s->tried->since_ns > hold_ns)) {
		struct tried *tried = s->tried;

		s->tried = tried->next;
		free(tried);
		t->tried--;
	}
}
