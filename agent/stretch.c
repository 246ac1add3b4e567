/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stretch.c - late labels. AGENT. A ring's records come in order, so what waits is a queue: an end for
 * stretch n settles everything up to n, as its owner's where the numbers agree and as nobody's where an
 * end was lost on the way.
 */
#include <stdlib.h>

#include "agent/stretch.h"

static const struct feed_context nobody;

static void settle_first(struct stretch_table *t, struct stretches *s,
			 const struct feed_context *owner)
{
	struct pending *p = s->first;

	s->first = p->next;
	if (!s->first)
		s->last = NULL;
	t->pending--;
	t->settled(t->arg, p->stack, owner, p->weight);
	stack_put(p->stack);
	free(p);
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
	if (s->last)
		s->last->next = p;
	else
		s->first = p;
	s->last = p;
	t->pending++;
}

void stretch_end(struct stretch_table *t, struct stretches *s, uint64_t stretch,
		 const struct feed_context *owner)
{
	while (s->first && s->first->stretch <= stretch)
		settle_first(t, s, s->first->stretch == stretch ? owner : &nobody);
}

void stretch_expire(struct stretch_table *t, struct stretches *s, uint64_t now_ns, uint64_t hold_ns)
{
	while (s->first && (hold_ns == 0 || now_ns - s->first->since_ns > hold_ns))
		settle_first(t, s, &nobody);
}
