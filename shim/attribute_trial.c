/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute_trial.c - trials, of the process: all of its threads are the same program's. APP. A trial's number
 * is its count and its kind, so that a late verdict is never taken for another's.
 */
#include <stdatomic.h>

#include "shim/attribute_doubt.h"
#include "shim/attribute_trial.h"
#include "shim/push.h"
#include "shim/thread.h"

#define ORDER_PROOF 16
#define READER_PROOF 32
#define TAIL_PROOF 16
#define POOL_PROOF 96
/* Who fails again must show twice as much, up to so many times; each run of CALM proofs without a failure
 * takes one off. So a program of which one guess in CALM is wrong comes to be not believed at all. */
#define RELAPSES_MAX 10
#define CALM 256

_Static_assert(TRIAL_READER_BATCH < FEED_TRIAL_KINDS && TRIAL_READER_BATCH < ATTRIBUTION_TRIALS, "kinds fit");

/* A count, from 1, in the upper half; below, what is left. */
static _Atomic uint64_t trials[ATTRIBUTION_TRIALS] = {
    [TRIAL_ORDER] = 1ULL << 32 | ORDER_PROOF,
    [TRIAL_READER] = 1ULL << 32 | READER_PROOF,
    [TRIAL_TAIL] = 1ULL << 32 | TAIL_PROOF,
    [TRIAL_POOL] = 1ULL << 32 | POOL_PROOF,
};

static _Atomic uint32_t relapses[ATTRIBUTION_TRIALS], calm[ATTRIBUTION_TRIALS];

/* TRIAL_ORDER with more to ask: what fails TRIAL_READER fails TRIAL_ORDER, so the count of that is theirs too. */
static bool is_order(enum trial_kind kind)
{
	return kind == TRIAL_ORDER || kind == TRIAL_BATCH || kind == TRIAL_READER_ORDER || kind == TRIAL_READER_BATCH;
}

static bool asks_batches(enum trial_kind kind)
{
	return kind == TRIAL_BATCH || kind == TRIAL_READER_BATCH;
}

static bool asks_reader(enum trial_kind kind)
{
	return kind == TRIAL_READER || kind == TRIAL_READER_ORDER || kind == TRIAL_READER_BATCH;
}

static uint64_t current(enum trial_kind kind)
{
	return atomic_load_explicit(&trials[is_order(kind) ? TRIAL_ORDER : kind], memory_order_relaxed);
}

uint32_t trial_left(enum trial_kind kind)
{
	return (uint32_t)current(kind);
}

bool trial_again(enum trial_kind kind)
{
	uint64_t now = current(kind);

	return now >> 32 > 1 && (uint32_t)now;
}

static void calm_down(enum trial_kind kind)
{
	uint32_t n = atomic_load_explicit(&relapses[kind], memory_order_relaxed);

	if (!n || atomic_fetch_add_explicit(&calm[kind], 1, memory_order_relaxed) + 1 < CALM)
		return;
	atomic_store_explicit(&calm[kind], 0, memory_order_relaxed);
	atomic_store_explicit(&relapses[kind], n - 1, memory_order_relaxed);
}

/* Of left, what is wanting after this failure. */
static uint32_t relapse(enum trial_kind kind, uint32_t left)
{
	uint32_t n = atomic_load_explicit(&relapses[kind], memory_order_relaxed);

	if (!left)
		return 0;
	atomic_store_explicit(&calm[kind], 0, memory_order_relaxed);
	atomic_store_explicit(&relapses[kind], n < RELAPSES_MAX ? n + 1 : n, memory_order_relaxed);
	return left << n;
}

void trial_proof(enum trial_kind kind)
{
	uint64_t now = current(kind);

	/* One of two that meet here may count for both. */
	if ((uint32_t)now)
		atomic_compare_exchange_strong_explicit(&trials[kind], &now, now - 1,
							memory_order_relaxed, memory_order_relaxed);
	else
		calm_down(kind);
}

void trial_fail(enum trial_kind kind, uint32_t left)
{
	uint64_t now = current(kind), next;

	left = relapse(kind, left);
	do
		next = (now >> 32 << 32) + (1ULL << 32) + ((uint32_t)now > left ? (uint32_t)now : left);
	while (!atomic_compare_exchange_weak_explicit(&trials[kind], &now, next, memory_order_relaxed,
						      memory_order_relaxed));
}

static enum trial_kind kind_of(uint64_t number)
{
	return number & (FEED_TRIAL_KINDS - 1);
}

/* The same count's. */
static uint64_t of_kind(uint64_t number, enum trial_kind kind)
{
	return number >> FEED_TRIAL_KIND_BITS << FEED_TRIAL_KIND_BITS | kind;
}

uint64_t trial_number(enum trial_kind kind)
{
	uint64_t now = current(kind);

	return kind == TRIAL_BATCH || (uint32_t)now ? now >> 32 << FEED_TRIAL_KIND_BITS | kind : 0;
}

static enum trial_state judge(uint64_t number)
{
	enum trial_kind kind = kind_of(number);
	uint64_t now = current(kind);
	enum trial_state state = (uint32_t)now ? TRIAL_OPEN : TRIAL_PASSED, batches;

	if (now >> 32 != number >> FEED_TRIAL_KIND_BITS)
		return TRIAL_FAILED;
	if (asks_reader(kind) && trial_left(TRIAL_READER))
		state = TRIAL_OPEN;
	if (!asks_batches(kind))
		return state;
	batches = doubt_batches();
	return batches > state ? batches : state;
}

uint64_t trial_by_now(uint64_t number)
{
	enum trial_state state;

	if (!number || number == TRIAL_NEVER)
		return number;
	state = judge(number);
	return state == TRIAL_PASSED ? 0 : state == TRIAL_OPEN ? number : TRIAL_NEVER;
}

uint64_t trial_both(uint64_t one, uint64_t other)
{
	uint64_t order = is_order(kind_of(one)) ? one : other, reader = order == one ? other : one;
	bool batches = asks_batches(kind_of(one)) || asks_batches(kind_of(other));

	if (!one || !other || one == other)
		return one | other;
	if (one == TRIAL_NEVER || other == TRIAL_NEVER || !is_order(kind_of(order)))
		return TRIAL_NEVER;
	if (!is_order(kind_of(reader)) && kind_of(reader) != TRIAL_READER)
		return TRIAL_NEVER;
	/* One of them may have failed since it was asked for. */
	if (judge(order) == TRIAL_FAILED || judge(reader) == TRIAL_FAILED)
		return TRIAL_NEVER;
	if (asks_reader(kind_of(one)) || asks_reader(kind_of(other)))
		return of_kind(order, batches ? TRIAL_READER_BATCH : TRIAL_READER_ORDER);
	return of_kind(order, batches ? TRIAL_BATCH : TRIAL_ORDER);
}

struct attribute_owner trial_owner(const struct feed_context *request, uint64_t number)
{
	struct attribute_owner owner = {.trial = trial_by_now(number)};

	if (owner.trial == TRIAL_NEVER)
		owner.trial = 0;
	else
		owner.request = *request;
	return owner;
}

/* Under which something was told and no verdict yet, by kind; 0: none. */
static _Atomic uint64_t told[ATTRIBUTION_TRIALS];

void trial_tell(struct thread *t, uint64_t ticket, const struct attribute_owner *owner)
{
	_Atomic uint64_t *last = &told[kind_of(owner->trial)];

	uint64_t before = atomic_load_explicit(last, memory_order_relaxed);

	while (before < owner->trial && !atomic_compare_exchange_weak_explicit(last, &before, owner->trial,
									       memory_order_relaxed,
									       memory_order_relaxed))
		;
	/* There is another since: it is over. That it was passed is told already, if so. */
	if (before && before < owner->trial)
		push_verdict(before, false);
	push_ticket(t, ticket, &owner->request, owner->trial);
}

void trial_settle(void)
{
	for (int kind = 0; kind < ATTRIBUTION_TRIALS; kind++) {
		uint64_t number = atomic_load_explicit(&told[kind], memory_order_relaxed);
		enum trial_state state = number ? judge(number) : TRIAL_OPEN;

		if (state == TRIAL_OPEN)
			continue;
		/* Told before it is forgotten: who tells under it meanwhile is right to rely on that. */
		push_verdict(number, state == TRIAL_PASSED);
		atomic_compare_exchange_strong_explicit(&told[kind], &number, 0, memory_order_relaxed,
							memory_order_relaxed);
	}
}
