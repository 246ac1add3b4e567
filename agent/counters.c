/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters.c - reads the counters of regions, and the agent's own. AGENT. Regions come and go; what the log needs is whether
 * something was ever lost and how often in the last look at each region.
 */
#include "agent/counters.h"
#include "agent/drain.h"
#include "agent/log.h"

static const char *const texts[FEED_COUNTER_COUNT] = {
#define X(name, text) [FEED_COUNTER_##name] = text,
	FEED_COUNTERS(X)
#undef X
};

static bool said[FEED_COUNTER_COUNT];
static uint64_t latest[FEED_COUNTER_COUNT];
static bool malformed_said;

/* Part of ordinary life: a tick at the moment of attaching, a deep stack, a signal of the host's. */
static bool harmless(enum feed_counter i)
{
	return i == FEED_COUNTER_samples || i == FEED_COUNTER_attaching ||
	       i == FEED_COUNTER_stack_truncated || i == FEED_COUNTER_foreign_signal ||
	       i == FEED_COUNTER_conn_busy;
}

void counters_look(const struct client *client)
{
	for (unsigned i = 0; i < FEED_COUNTER_COUNT; i++) {
		uint64_t n = atomic_load_explicit(&client->header->counters[i], memory_order_relaxed);

		latest[i] = n > latest[i] ? n : latest[i];
		if (!n || said[i] || harmless((enum feed_counter)i))
			continue;
		said[i] = true;
		log_warn("%s (%llu so far; said once)", texts[i], (unsigned long long)n);
	}
	if (drain_malformed() && !malformed_said) {
		malformed_said = true;
		log_warn("records that make no sense came from a process; skipped (said once)");
	}
}

void counters_say(void)
{
	for (unsigned i = 0; i < FEED_COUNTER_COUNT; i++)
		if (latest[i])
			log_debug("most in one region: %llu %s", (unsigned long long)latest[i],
				  texts[i]);
}

static void say_bound(bool *once, bool ordinary, uint64_t count, const char *what)
{
	if (!count)
		return;
	if (*once)
		log_debug("%llu samples %s", (unsigned long long)count, what);
	else if (ordinary)
		log_info("%llu samples %s (said once)", (unsigned long long)count, what);
	else
		log_warn("%llu samples %s (said once)", (unsigned long long)count, what);
	*once = true;
}

void counters_bounds(const struct aggregate_folded *folded)
{
	static bool spans, ids, names, stacks, samples;

	say_bound(&spans, false, folded->spans,
		  "kept their trace_id but no span_id: more spans in an upload than "
		  "SPANPROF_MAX_SPANS");
	/* Whoever is asked by strangers is asked for nonsense. */
	say_bound(&names, true, folded->names,
		  "have their method alone as span_name: more paths than are named");
	say_bound(&ids, false, folded->ids, "without ids: memory bounds");
	say_bound(&stacks, false, folded->stacks, "without their stack: memory bounds");
	say_bound(&samples, false, folded->samples, "lost: memory bounds");
}
