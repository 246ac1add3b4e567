/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle.c - compares two walks of one stack frame by frame, and counts where stacks end. AGENT. What
 * is neither agreement nor a root is tallied by the frame that it happened at: the same few places of
 * a program, thousands of times.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/log.h"
#include "agent/oracle.h"

#define ORACLE_PLACES_MAX 256 /* distinct ones that are told apart */
#define ORACLE_SAID_MAX 8     /* disagreements that are logged frame by frame */
#define ORACLE_BEFORE 1	      /* frames of those, before the first that differs and from it on */
#define ORACLE_AFTER 4
#define ORACLE_PLACE_MAX 256

static const char *const verdict_names[ORACLE_VERDICTS] = {"agree",    "guessed", "frameless",
							 "disagree", "slice",	"stopped"};
static const char *const end_names[UNWIND_END_COUNT] = {"root",	 "entry",   "zero", "limit",
							"slice", "no_code", "lost"};

/* Where something other than the usual happened. */
struct tally {
	const char *what;
	struct module *module;
	uint64_t vaddr;
	bool exact;
	uint64_t count;
};

struct oracle {
	struct oracle_objects objects;
	struct oracle_figures figures;
	struct tally tallies[ORACLE_PLACES_MAX];
	size_t tally_count;
	uint64_t untold; /* what found no room in the tallies */
	unsigned said;
};

struct oracle *oracle_new(struct modules *modules, struct tables *tables)
{
	struct oracle *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->objects = (struct oracle_objects){modules, tables};
	return o;
}

void oracle_free(struct oracle *o)
{
	free(o);
}

const struct oracle_figures *oracle_figures(const struct oracle *o)
{
	return &o->figures;
}

static void tally(struct oracle *o, const struct oracle_place *place, const char *what,
		  const struct oracle_walk *w, size_t frame)
{
	bool exact = unwind_exact(w->result, frame);
	uint64_t vaddr;
	struct module *m = oracle_locate(&o->objects, place, w, frame, &vaddr);

	/* Code made at run time is somewhere else each time. */
	if (!m || m->anon)
		vaddr = 0;
	for (size_t i = 0; i < o->tally_count; i++) {
		struct tally *t = &o->tallies[i];

		if (t->what == what && t->module == m && t->vaddr == vaddr) {
			t->count++;
			return;
		}
	}
	if (o->tally_count == ORACLE_PLACES_MAX)
		o->untold++;
	else
		o->tallies[o->tally_count++] = (struct tally){what, m, vaddr, exact, 1};
}

static void say_frame(const struct oracle *o, const struct oracle_place *place, const char *who,
		      const struct oracle_walk *w, size_t i)
{
	char text[ORACLE_PLACE_MAX];
	uint64_t vaddr;
	struct module *m;

	if (i >= w->count) {
		log_info("  %s %zu: ended: %s", who, i, end_names[w->result->end]);
		return;
	}
	m = oracle_locate(&o->objects, place, w, i, &vaddr);
	oracle_describe(&o->objects, m, vaddr, unwind_exact(w->result, i), text, sizeof(text));
	log_info("  %s %zu: %" PRIx64 " %s", who, i, w->pcs[i], text);
}

static void say_difference(struct oracle *o, const struct oracle_place *place,
			   const struct oracle_walk *handler, const struct oracle_walk *libunwind,
			   size_t at)
{
	size_t from = at > ORACLE_BEFORE ? at - ORACLE_BEFORE : 0;

	if (o->said++ >= ORACLE_SAID_MAX)
		return;
	log_info("process %d: stacks of %zu and %zu frames differ at frame %zu", (int)place->pid,
		 handler->count, libunwind->count, at);
	for (size_t i = from; i < at + ORACLE_AFTER; i++) {
		if (i <= handler->count)
			say_frame(o, place, i < at ? "both" : "handler", handler, i);
		if (i >= at && i <= libunwind->count)
			say_frame(o, place, "libunwind", libunwind, i);
	}
}

static void note_end(struct oracle *o, const struct oracle_place *place, const struct oracle_walk *w)
{
	enum unwind_end end = w->result->end;

	o->figures.ends[end]++;
	if (end > UNWIND_END_ENTRY && w->count)
		tally(o, place, end_names[end], w, w->count - 1);
}

static size_t same_frames(const struct oracle_walk *a, const struct oracle_walk *b)
{
	size_t n = 0;

	while (n < a->count && n < b->count && a->pcs[n] == b->pcs[n] &&
	       unwind_exact(a->result, n) == unwind_exact(b->result, n))
		n++;
	return n;
}

/* Where there is code of which no row says anything. */
static bool is_undescribed(const struct oracle *o, const struct oracle_place *place,
			   const struct oracle_walk *w, size_t frame)
{
	struct module *m;
	const struct feed_row *row = oracle_row(&o->objects, place, w, frame, &m);

	return m && (m->anon || !row || row->cfa == FEED_CFA_NONE);
}

/* Whether they would be the same without the first one's frame at. */
static bool same_without(const struct oracle_walk *a, const struct oracle_walk *b, size_t at)
{
	size_t mine = a->count - at - 1, theirs = b->count - at;

	if (a->result->end == UNWIND_END_LIMIT && mine < theirs)
		theirs = mine;
	return mine == theirs &&
	       memcmp(a->pcs + at + 1, b->pcs + at, mine * sizeof(a->pcs[0])) == 0;
}

/*
 * By frame pointer, undescribed code that has not pushed it yet, or has popped it already, leads to its
 * caller's caller. The handler looks at the instructions (shim/unwind_code.c); libunwind's walk does
 * not. Then the one has exactly one frame that the other has not, right there, and all else is equal;
 * if it is recursive, the first difference is seen later. Or the leaf's rule leads libunwind into no
 * code at all, and the handler, by the word at sp, to the root.
 */
static bool is_frameless(const struct oracle *o, const struct oracle_place *place,
			 const struct oracle_walk *handler, const struct oracle_walk *libunwind,
			 size_t same)
{
	if (same >= handler->count)
		return false;
	if (same == 1 && libunwind->count == 1 && libunwind->result->end == UNWIND_END_NO_CODE)
		return handler->result->end == UNWIND_END_ROOT;
	for (size_t i = 0; i < same; i++)
		if (unwind_exact(handler->result, i) && is_undescribed(o, place, handler, i) &&
		    same_without(handler, libunwind, i + 1))
			return true;
	return false;
}

static enum oracle_verdict judge(const struct oracle_walk *handler, const struct oracle_walk *libunwind,
			  size_t same)
{
	const struct unwind_result *r = libunwind->result;

	if (same == handler->count &&
	    (same == libunwind->count || handler->result->end == UNWIND_END_LIMIT))
		return r->guessed ? ORACLE_GUESSED : ORACLE_AGREE;
	if (same == libunwind->count && r->end == UNWIND_END_SLICE)
		return ORACLE_SLICE;
	if (same == libunwind->count && r->end > UNWIND_END_SLICE)
		return ORACLE_STOPPED;
	return ORACLE_DISAGREE;
}

/* The handler says where it ended, not why: the rule of its last frame does. */
static enum unwind_end end_of(const struct oracle *o, const struct oracle_place *place,
			      const struct oracle_walk *handler)
{
	const struct feed_row *row;
	struct module *m;

	if (handler->result->truncated)
		return UNWIND_END_LIMIT;
	row = oracle_row(&o->objects, place, handler, handler->count - 1, &m);
	return row && row->cfa == FEED_CFA_ROOT ? UNWIND_END_ROOT : UNWIND_END_ZERO;
}

void oracle_compare(struct oracle *o, const struct oracle_place *place,
		    const struct oracle_walk *handler, const struct oracle_walk *libunwind)
{
	struct unwind_result result = *handler->result;
	struct oracle_walk mine = {handler->pcs, handler->count, &result};
	enum oracle_verdict verdict;
	size_t same;

	result.end = end_of(o, place, &mine);
	same = same_frames(&mine, libunwind);
	verdict = is_frameless(o, place, &mine, libunwind, same) ? ORACLE_FRAMELESS
								  : judge(&mine, libunwind, same);
	/* A root for the one is a zero for the other. */
	if (verdict == ORACLE_AGREE && result.end != UNWIND_END_LIMIT &&
	    result.end != libunwind->result->end)
		verdict = ORACLE_DISAGREE;
	o->figures.verdicts[verdict]++;
	if (verdict > ORACLE_FRAMELESS)
		tally(o, place, verdict_names[verdict], &mine, same ? same - 1 : 0);
	if (verdict == ORACLE_DISAGREE)
		say_difference(o, place, &mine, libunwind, same);
	note_end(o, place, &mine);
}

/* The frame that a handler cannot step from, however new its tables; count: there is none. */
static size_t unsteppable(const struct oracle *o, const struct oracle_place *place,
			  const struct oracle_walk *w)
{
	for (size_t i = 0; i < w->count; i++) {
		struct module *m;
		const struct feed_row *row = oracle_row(&o->objects, place, w, i, &m);

		if (!m || (!m->anon && (!row || row->cfa == FEED_CFA_OTHER)))
			return i;
	}
	return w->count;
}

void oracle_alone(struct oracle *o, const struct oracle_place *place,
		  const struct oracle_walk *libunwind)
{
	size_t i = unsteppable(o, place, libunwind);

	o->figures.alone++;
	if (i < libunwind->count)
		tally(o, place, "unsteppable", libunwind, i);
	else
		o->figures.early++;
	if (libunwind->result->end > UNWIND_END_ENTRY && o->said++ < ORACLE_SAID_MAX) {
		log_info("process %d: a stack of %zu frames that only the agent walked ends: %s",
			 (int)place->pid, libunwind->count, end_names[libunwind->result->end]);
		for (i = 0; i < libunwind->count; i++)
			if (i < ORACLE_AFTER || i + ORACLE_AFTER > libunwind->count)
				say_frame(o, place, "libunwind", libunwind, i);
	}
	note_end(o, place, libunwind);
}

static void say_tallies(const struct oracle *o)
{
	for (size_t i = 0; i < o->tally_count; i++) {
		const struct tally *t = &o->tallies[i];
		char text[ORACLE_PLACE_MAX];

		oracle_describe(&o->objects, t->module, t->vaddr, t->exact, text, sizeof(text));
		log_info("stacks: %s %" PRIu64 " at %s", t->what, t->count, text);
	}
	if (o->untold)
		log_info("stacks: %" PRIu64 " more at other places", o->untold);
}

void oracle_say(const struct oracle *o)
{
	uint64_t checked = 0;

	say_tallies(o);
	for (int i = 0; i < ORACLE_VERDICTS; i++)
		checked += o->figures.verdicts[i];
	log_info("stacks: checked=%" PRIu64 " agree=%" PRIu64 " guessed=%" PRIu64 " frameless=%" PRIu64
		 " disagree=%" PRIu64 " slice=%" PRIu64 " stopped=%" PRIu64 " alone=%" PRIu64
		 " early=%" PRIu64,
		 checked, o->figures.verdicts[ORACLE_AGREE], o->figures.verdicts[ORACLE_GUESSED],
		 o->figures.verdicts[ORACLE_FRAMELESS], o->figures.verdicts[ORACLE_DISAGREE],
		 o->figures.verdicts[ORACLE_SLICE], o->figures.verdicts[ORACLE_STOPPED], o->figures.alone,
		 o->figures.early);
	log_info("stack ends: root=%" PRIu64 " entry=%" PRIu64 " zero=%" PRIu64 " limit=%" PRIu64
		 " slice=%" PRIu64 " no_code=%" PRIu64 " lost=%" PRIu64,
		 o->figures.ends[UNWIND_END_ROOT], o->figures.ends[UNWIND_END_ENTRY], o->figures.ends[UNWIND_END_ZERO],
		 o->figures.ends[UNWIND_END_LIMIT], o->figures.ends[UNWIND_END_SLICE], o->figures.ends[UNWIND_END_NO_CODE],
		 o->figures.ends[UNWIND_END_LOST]);
}
