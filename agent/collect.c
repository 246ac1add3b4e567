/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect.c - the middle of the agent: every record that drain.c found good goes through walk.c and,
 * when its owner is known, into the aggregate; until then it waits in stretch.c. AGENT.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/collect.h"
#include "agent/publish.h"
#include "agent/stretch.h"
#include "agent/unloads.h"
#include "agent/walk.h"

#define COLLECT_SPANS_MAX 65536 /* distinct spans that the totals can tell apart; a power of two */

struct collect {
	uint64_t period_ns;
	struct aggregate_options options;
	struct series *series;
	struct modules *modules;
	struct tables *tables;
	struct walk *walk;
	struct oracle *oracle; /* NULL: no stack is walked twice */
	struct aggregate *aggregate;
	struct stretch_table stretches;
	struct collect_totals totals;
	uint64_t now_ns;
	uint64_t spans[2 * COLLECT_SPANS_MAX]; /* open addressing over span ids; 0: free */
};

static void note_span(struct collect *c, const struct feed_context *context)
{
	uint64_t id;
	size_t i;

	memcpy(&id, context->span_id, sizeof(id));
	if (!id || c->totals.spans == COLLECT_SPANS_MAX)
		return;
	i = (id * 0x9e3779b97f4a7c15ULL) >> 47;
	while (c->spans[i] && c->spans[i] != id)
		i = (i + 1) % (2 * COLLECT_SPANS_MAX);
	c->totals.spans += !c->spans[i];
	c->spans[i] = id;
}

static void settled(void *arg, struct stack *stack, const struct feed_context *context,
		    uint64_t weight)
{
	struct collect *c = arg;
	uint64_t nanoseconds = weight * c->period_ns;

	aggregate_add(c->aggregate, stack, context, weight, nanoseconds);
	c->totals.samples += weight;
	c->totals.nanoseconds += nanoseconds;
	if (context->flags & FEED_CONTEXT_IDS)
		note_span(c, context);
}

struct collect *collect_new(const struct feed_config *config, uint64_t unix_ns)
{
	struct collect *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->period_ns = config->period_ns;
	c->series = series_new();
	c->options = (struct aggregate_options){.spans_max = config->max_spans,
						.names = config->span_names,
						.series = c->series};
	c->stretches.settled = settled;
	c->stretches.arg = c;
	c->modules = modules_new();
	c->walk = c->modules ? walk_new(c->modules) : NULL;
	c->tables = tables_new();
	c->aggregate = aggregate_new(unix_ns, &c->options);
	if (!c->walk || !c->tables || !c->aggregate || !c->series) {
		collect_free(c);
		return NULL;
	}
	return c;
}

void collect_verify(struct collect *c)
{
	c->oracle = oracle_new(c->modules, c->tables);
	walk_verify(c->walk, c->oracle);
}

void collect_say(const struct collect *c)
{
	if (c->oracle)
		oracle_say(c->oracle);
}

void collect_free(struct collect *c)
{
	if (!c)
		return;
	aggregate_free(c->aggregate);
	series_free(c->series);
	walk_free(c->walk);
	oracle_free(c->oracle);
	tables_free(c->tables);
	if (c->modules)
		modules_free(c->modules);
	free(c);
}

static void take_sample(void *arg, const struct drained_sample *sample, struct ring_reader *reader)
{
	struct collect *c = arg;
	struct stack *stack;
	struct past past;

	past_enter(&past, c->modules, sample->process, sample->maps_epoch, sample->time_ns);
	stack = walk_sample(c->walk, sample, c->now_ns);
	past_leave(sample->process);
	if (!stack)
		return;
	if (sample->flags & FEED_SAMPLE_OPEN) {
		stretch_hold(&c->stretches, &reader->stretches, sample->stretch, stack,
			     sample->weight, c->now_ns);
		return;
	}
	settled(c, stack, &sample->context, sample->weight);
	stack_put(stack);
}

static void take_stretch(void *arg, const struct feed_stretch *end, struct ring_reader *reader)
{
	struct collect *c = arg;

	if (end->record.kind == FEED_TICKET && end->trial)
		stretch_try(&c->stretches, &reader->stretches, end->ticket, end->trial,
			    &end->context, c->now_ns);
	else if (end->record.kind == FEED_TICKET)
		stretch_settle(&c->stretches, &reader->stretches, end->ticket, &end->context);
	else if (end->ticket)
		stretch_defer(&c->stretches, &reader->stretches, end->stretch, end->ticket);
	else
		stretch_end(&c->stretches, &reader->stretches, end->stretch, &end->context);
}

static void take_verdicts(void *arg, const struct feed_process *slot, struct ring_reader *reader)
{
	struct collect *c = arg;

	stretch_judge(&c->stretches, &reader->stretches, slot->verdicts);
}

static void take_closed(void *arg, struct process *process, struct ring_reader *reader)
{
	struct collect *c = arg;

	if (process)
		stretch_bequeath(&c->stretches, &reader->stretches, &process->left);
	else
		stretch_expire(&c->stretches, &reader->stretches, c->now_ns, 0);
}

static void take_end(void *arg, const struct feed_process *slot, struct process *process)
{
	struct collect *c = arg;

	stretch_judge(&c->stretches, &process->left, slot->verdicts);
	if (process->ended)
		stretch_expire(&c->stretches, &process->left, c->now_ns, 0);
}

uint64_t collect_client(struct collect *c, struct client *client, uint64_t now_ns)
{
	struct drain_sink sink = {c, take_sample, take_stretch, take_closed, take_verdicts, take_end};

	c->now_ns = now_ns;
	for (uint32_t i = 0; i < FEED_PROCESSES; i++)
		if (client->processes[i])
			publish_process(c->tables, c->modules, client, client->processes[i], now_ns);
	return drain_client(client, &sink, now_ns);
}

void collect_expire(struct collect *c, struct client *client, uint64_t now_ns, uint64_t hold_ns)
{
	for (uint32_t i = 0; i < client->ring_count; i++)
		stretch_expire(&c->stretches, &client->readers[i].stretches, now_ns, hold_ns);
	for (uint32_t i = 0; i < FEED_PROCESSES; i++)
		if (client->processes[i])
			stretch_expire(&c->stretches, &client->processes[i]->left, now_ns, hold_ns);
}

static void add_folded(struct aggregate_folded *sum, const struct aggregate_folded *more)
{
	sum->spans += more->spans;
	sum->ids += more->ids;
	sum->names += more->names;
	sum->stacks += more->stacks;
	sum->samples += more->samples;
}

struct aggregate *collect_take(struct collect *c, uint64_t unix_ns)
{
	struct aggregate *next = aggregate_new(unix_ns, &c->options), *taken = c->aggregate;

	if (!next)
		return NULL;
	c->aggregate = next;
	aggregate_choose_names(taken, c->series, unix_ns);
	add_folded(&c->totals.folded, aggregate_folded(taken));
	return taken;
}

struct module *collect_program(const struct collect *c)
{
	return walk_program(c->walk);
}

const struct collect_totals *collect_totals(const struct collect *c)
{
	return &c->totals;
}
