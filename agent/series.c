/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series.c - the first names are free. When there are as many as may be, one that was met more than once
 * takes the place of the cheapest if it cost more than that lately, the costliest first and at a bounded
 * rate: a flood of paths, each asked for once, neither stays in the place of routes that are really used
 * nor makes a series once the places are taken; one of paths that are asked for again makes a few an
 * hour. AGENT.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/series.h"

#define SAMPLES_MIN 2 /* of who wants another's place: a path met once may never come again */
#define DECAY 8 /* the share of a score that each interval takes: about ten of them count */

struct admitted {
	struct route route;
	uint64_t score; /* nanoseconds, decaying */
};

struct series {
	struct admitted names[SERIES_MAX];
	unsigned count;
	unsigned replacements; /* that are left */
	uint64_t refilled_ns;
};

struct series *series_new(void)
{
	struct series *s = calloc(1, sizeof(*s));

	if (s)
		s->replacements = SERIES_BURST;
	return s;
}

void series_free(struct series *s)
{
	free(s);
}

bool series_has(const struct series *s, const struct route *route)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->names[i].route.method == route->method &&
		    strcmp(s->names[i].route.name, route->name) == 0)
			return true;
	return false;
}

static void refill(struct series *s, uint64_t now_ns)
{
	uint64_t passed;

	/* The first time, or a clock that was put back. */
	if (!s->refilled_ns || now_ns < s->refilled_ns)
		s->refilled_ns = now_ns;
	passed = (now_ns - s->refilled_ns) / SERIES_REPLACE_NS;
	s->refilled_ns += passed * SERIES_REPLACE_NS;
	s->replacements = passed < SERIES_BURST - s->replacements
				  ? s->replacements + (unsigned)passed
				  : SERIES_BURST;
}

static void update_scores(struct series *s, const struct names *names)
{
	for (unsigned i = 0; i < s->count; i++) {
		struct admitted *a = &s->names[i];
		uint32_t number = names_find(names, &a->route);

		a->score -= a->score / DECAY;
		if (number)
			a->score += names_at(names, number)->nanoseconds;
	}
}

static struct admitted *cheapest(struct series *s)
{
	struct admitted *least = &s->names[0];

	for (unsigned i = 1; i < s->count; i++)
		if (s->names[i].score < least->score)
			least = &s->names[i];
	return least;
}

static bool admit(struct series *s, const struct name *name)
{
	struct admitted *place = NULL;

	if (s->count < SERIES_MAX) {
		place = &s->names[s->count++];
	} else if (s->replacements && name->samples >= SAMPLES_MIN) {
		place = cheapest(s);
		if (place->score >= name->nanoseconds)
			return false;
		s->replacements--;
	}
	if (place)
		*place = (struct admitted){name->route, name->nanoseconds};
	return place;
}

static int by_cost(const void *a, const void *b)
{
	const struct name *const *x = a, *const *y = b;

	if ((*x)->nanoseconds != (*y)->nanoseconds)
		return (*x)->nanoseconds < (*y)->nanoseconds ? 1 : -1;
	return strcmp((*x)->route.name, (*y)->route.name);
}

static void admit_costliest(struct series *s, const struct names *names)
{
	const struct name **newcomers = malloc((names->count + 1) * sizeof(*newcomers));
	size_t count = 0;

	if (!newcomers)
		return;
	for (uint32_t i = 1; i <= names->count; i++) {
		const struct name *name = names_at(names, i);

		if (names_has_path(&name->route) && !series_has(s, &name->route) &&
		    (name->samples >= SAMPLES_MIN || s->count < SERIES_MAX))
			newcomers[count++] = name;
	}
	qsort(newcomers, count, sizeof(*newcomers), by_cost);
	for (size_t i = 0; i < count && admit(s, newcomers[i]); i++)
		;
	free(newcomers);
}

uint32_t series_choose(struct series *s, struct names *names, uint64_t unix_ns)
{
	uint32_t count = names->count, folded = 0, number;

	refill(s, unix_ns);
	update_scores(s, names);
	admit_costliest(s, names);
	for (uint32_t i = 1; i <= count; i++) {
		struct route method = names_method(&names_at(names, i)->route);

		if (!names_has_path(&names_at(names, i)->route) ||
		    series_has(s, &names_at(names, i)->route))
			continue;
		/* May move the table. Without memory the samples have no name: 0. */
		number = names_put(names, &method);
		names_at(names, i)->shown = number;
		folded++;
	}
	return folded;
}
