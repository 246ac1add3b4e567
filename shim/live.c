/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live.c - a table by request number, counters by reading thread, an index by trace id. APP. A slot is
 * written before its number is published and left before it is written again, so a reader that finds
 * the same number before and after its copy has copied one request.
 */
#include <stdatomic.h>
#include <string.h>

#include "shim/live.h"

#define LIVE_READERS 1024 /* threads share a counter when their ids are equal modulo this */

struct slot {
	_Atomic uint32_t request; /* 0: free. Writer: release; whoever ends it: compare-exchange */
	_Atomic int32_t reader;
	_Atomic uint32_t turn, named, woke;
	_Atomic uint32_t twin; /* another unfinished request had the same trace */
	struct feed_context context;
};

struct reader {
	_Atomic int32_t count;
	_Atomic uint32_t sum; /* of the numbers of its requests: with one left, that one's */
};

static struct slot slots[LIVE_MAX];
static struct reader readers[LIVE_READERS];
static _Atomic uint32_t by_trace[LIVE_MAX]; /* the latest request with that hash */
static _Atomic uint32_t last_number;
static _Atomic int32_t total;

uint32_t live_number(void)
{
	uint32_t n;

	do
		n = 1 + atomic_fetch_add_explicit(&last_number, 1, memory_order_relaxed);
	while (n == 0);
	return n;
}

uint32_t live_newest(void)
{
	return atomic_load_explicit(&last_number, memory_order_relaxed);
}

bool live_any(void)
{
	return atomic_load_explicit(&last_number, memory_order_relaxed) != 0;
}

static struct slot *slot_of(uint32_t request)
{
	return &slots[request % LIVE_MAX];
}

static struct reader *reader_of(int32_t tid)
{
	return &readers[(uint32_t)tid % LIVE_READERS];
}

static _Atomic uint32_t *index_of(const uint8_t trace_id[16])
{
	uint64_t half[2];

	memcpy(half, trace_id, sizeof(half));
	return &by_trace[((half[0] ^ half[1]) * 0x9e3779b97f4a7c15ULL) >> 52];
}
_Static_assert(LIVE_MAX == 1 << 12, "the hash keeps 12 bits");

static bool copy(uint32_t request, struct feed_context *out)
{
	struct slot *s = slot_of(request);

	if (!request || atomic_load_explicit(&s->request, memory_order_acquire) != request)
		return false;
	*out = s->context;
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&s->request, memory_order_relaxed) == request;
}

bool live_has(uint32_t request)
{
	return request &&
	       atomic_load_explicit(&slot_of(request)->request, memory_order_relaxed) == request;
}

void live_end(uint32_t request)
{
	struct slot *s = slot_of(request);
	uint32_t expected = request;
	struct reader *r;

	if (!live_has(request))
		return;
	r = reader_of(atomic_load_explicit(&s->reader, memory_order_relaxed));
	if (!atomic_compare_exchange_strong_explicit(&s->request, &expected, 0, memory_order_acq_rel,
						     memory_order_relaxed))
		return;
	atomic_fetch_sub_explicit(&r->sum, request, memory_order_relaxed);
	atomic_fetch_sub_explicit(&r->count, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&total, 1, memory_order_relaxed);
}

static void index_trace(struct slot *s, const struct feed_context *request)
{
	_Atomic uint32_t *index = index_of(request->trace_id);
	uint32_t before = atomic_exchange_explicit(index, request->request, memory_order_relaxed);
	struct feed_context other;

	if (before == request->request || !copy(before, &other) ||
	    memcmp(other.trace_id, request->trace_id, sizeof(other.trace_id)) != 0)
		return;
	atomic_store_explicit(&slot_of(before)->twin, 1, memory_order_relaxed);
	atomic_store_explicit(&s->twin, 1, memory_order_relaxed);
}

void live_begin(const struct feed_context *request, int32_t tid, uint32_t turn)
{
	struct slot *s = slot_of(request->request);
	struct reader *r = reader_of(tid);

	live_end(atomic_load_explicit(&s->request, memory_order_relaxed));
	atomic_store_explicit(&s->reader, tid, memory_order_relaxed);
	atomic_store_explicit(&s->turn, turn, memory_order_relaxed);
	atomic_store_explicit(&s->named, turn - 1, memory_order_relaxed);
	atomic_store_explicit(&s->woke, 0, memory_order_relaxed);
	atomic_store_explicit(&s->twin, 0, memory_order_relaxed);
	s->context = *request;
	atomic_fetch_add_explicit(&total, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&r->sum, request->request, memory_order_relaxed);
	atomic_store_explicit(&s->request, request->request, memory_order_release);
	if (request->flags & FEED_CONTEXT_IDS)
		index_trace(s, request);
}

void live_forked(uint32_t request, int32_t tid)
{
	struct slot *kept = slot_of(request);
	uint32_t turn = atomic_load_explicit(&kept->turn, memory_order_relaxed);
	struct feed_context context = kept->context;
	bool keeps = live_has(request);

	for (size_t i = 0; live_total() && i < LIVE_MAX; i++)
		live_end(atomic_load_explicit(&slots[i].request, memory_order_relaxed));
	/* Another thread was amid a change that it does not finish here. */
	if (atomic_exchange_explicit(&total, 0, memory_order_relaxed))
		memset(readers, 0, sizeof(readers));
	if (keeps)
		live_begin(&context, tid, turn);
}

unsigned live_count(int32_t tid)
{
	int32_t n = atomic_load_explicit(&reader_of(tid)->count, memory_order_relaxed);

	return n > 0 ? (unsigned)n : 0;
}

bool live_turn(int32_t tid, uint32_t request, uint32_t *turn)
{
	struct slot *s = slot_of(request);

	*turn = atomic_load_explicit(&s->turn, memory_order_relaxed);
	return live_has(request) && atomic_load_explicit(&s->reader, memory_order_relaxed) == tid;
}

void live_name(uint32_t request, uint32_t turn)
{
	if (live_has(request))
		atomic_store_explicit(&slot_of(request)->named, turn, memory_order_relaxed);
}

bool live_named(int32_t tid, uint32_t request, uint32_t turn)
{
	uint32_t begun;

	return live_turn(tid, request, &begun) &&
	       atomic_load_explicit(&slot_of(request)->named, memory_order_relaxed) == turn;
}

void live_wake(uint32_t request)
{
	if (live_has(request))
		atomic_store_explicit(&slot_of(request)->woke, 1, memory_order_relaxed);
}

bool live_woke(uint32_t request)
{
	return live_has(request) &&
	       atomic_load_explicit(&slot_of(request)->woke, memory_order_relaxed);
}

unsigned live_total(void)
{
	int32_t n = atomic_load_explicit(&total, memory_order_relaxed);

	return n > 0 ? (unsigned)n : 0;
}

bool live_elsewhere(int32_t tid)
{
	return live_total() > live_count(tid);
}

uint32_t live_alone(void)
{
	uint32_t newest = live_newest();

	return live_total() <= 1 ? newest : 0;
}

unsigned live_others(int32_t tid, uint32_t request)
{
	unsigned n = live_count(tid);
	bool among = live_has(request) &&
		     atomic_load_explicit(&slot_of(request)->reader, memory_order_relaxed) == tid;

	return among && n ? n - 1 : n;
}

bool live_sole(int32_t tid, struct feed_context *request)
{
	struct reader *r = reader_of(tid);
	uint32_t sum = atomic_load_explicit(&r->sum, memory_order_relaxed);

	return live_count(tid) == 1 && copy(sum, request) &&
	       atomic_load_explicit(&slot_of(sum)->reader, memory_order_relaxed) == tid;
}

bool live_of_trace(const uint8_t trace_id[16], struct feed_context *request)
{
	uint32_t number = atomic_load_explicit(index_of(trace_id), memory_order_relaxed);

	return copy(number, request) &&
	       memcmp(request->trace_id, trace_id, sizeof(request->trace_id)) == 0 &&
	       !atomic_load_explicit(&slot_of(number)->twin, memory_order_relaxed);
}
