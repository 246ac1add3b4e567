/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/span.c: the copy that is read is whole at every moment, and outside readers find the record
 * that OTEP 4947 describes. The module is included with its fences made into places where a handler
 * comes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "shim/span.h"

/* As the specification has it, byte by byte. */
enum {
	RECORD_SPAN_ID = 16,
	RECORD_VALID = 24,
	RECORD_FLAGS = 25,
	RECORD_SIZE = 26,
	RECORD_END = 28
};

static struct span thread_span;
static unsigned interrupts;
static bool watched;

static struct feed_context context_of(uint8_t seed, uint32_t flags)
{
	struct feed_context context = {.flags = flags, .request = seed};

	if (flags & FEED_CONTEXT_IDS) {
		memset(context.trace_id, seed, sizeof(context.trace_id));
		memset(context.span_id, seed + 1, sizeof(context.span_id));
	}
	return context;
}

static struct feed_context traced(uint8_t seed)
{
	return context_of(seed, FEED_CONTEXT_REQUEST | FEED_CONTEXT_IDS);
}

static int setup(void **state)
{
	memset(&thread_span, 0, sizeof(thread_span));
	watched = false;
	otel_thread_ctx_v1 = NULL;
	return 0;
}

/* A handler: what it reads belongs together. Every context here is made of one byte. */
static void assert_whole(void)
{
	const struct span_copy *copy = span_read(&thread_span);
	struct feed_context expected =
	    context_of((uint8_t)copy->context.request, copy->context.flags);
	const uint8_t *record = otel_thread_ctx_v1;

	assert_memory_equal(&copy->context, &expected, sizeof(expected));
	assert_int_equal(copy->stretch, copy->context.request);
	assert_int_equal(copy->flags, copy->stretch % 2 ? FEED_SAMPLE_OPEN : 0);
	if (!record)
		return;
	assert_int_equal(record[RECORD_VALID], 1);
	for (int i = 1; i < RECORD_SPAN_ID; i++)
		assert_int_equal(record[i], record[0]);
	for (int i = RECORD_SPAN_ID; i < RECORD_VALID; i++)
		assert_int_equal(record[i], record[0] + 1);
}

static void the_record_has_the_layout_of_the_specification(void **state)
{
	struct feed_context context = traced(0);
	const uint8_t *record;

	for (uint8_t i = 0; i < 16; i++)
		context.trace_id[i] = (uint8_t)(0x10 + i);
	for (uint8_t i = 0; i < 8; i++)
		context.span_id[i] = (uint8_t)(0xa0 + i);
	span_begin(&thread_span, &context, false);
	record = otel_thread_ctx_v1;
	assert_non_null(record);
	assert_int_equal((uintptr_t)record % 2, 0);
	assert_memory_equal(record, context.trace_id, 16);
	assert_memory_equal(record + RECORD_SPAN_ID, context.span_id, 8);
	assert_int_equal(record[RECORD_VALID], 1);
	assert_int_equal(record[RECORD_FLAGS], 1);
	assert_memory_equal(record + RECORD_SIZE, "\0\0", RECORD_END - RECORD_SIZE);
}

static void without_ids_the_slot_is_empty(void **state)
{
	struct feed_context context = traced(1), anonymous = context_of(2, FEED_CONTEXT_REQUEST);

	span_begin(&thread_span, &context, true);
	assert_non_null(otel_thread_ctx_v1);
	span_begin(&thread_span, &anonymous, false);
	assert_null(otel_thread_ctx_v1);
	assert_int_equal(span_read(&thread_span)->context.flags, FEED_CONTEXT_REQUEST);
	assert_int_equal(span_read(&thread_span)->record.valid, 0);
	assert_int_equal(span_read(&thread_span)->record.trace_flags, 0);
}

static void the_slot_flips_between_two_records(void **state)
{
	struct feed_context context = traced(1);
	const void *first;

	span_begin(&thread_span, &context, true);
	first = otel_thread_ctx_v1;
	context = traced(2);
	span_begin(&thread_span, &context, false);
	assert_ptr_not_equal(otel_thread_ctx_v1, first);
	/* What an outside reader may still be looking at is as it was. */
	assert_int_equal(*(const uint8_t *)first, 1);
	context = traced(3);
	span_begin(&thread_span, &context, true);
	assert_ptr_equal(otel_thread_ctx_v1, first);
}

static void the_record_of_another_writer_is_left_alone(void **state)
{
	static uint8_t theirs[64] = {0x42};
	struct feed_context context = traced(1), none = {0};
	uint8_t before[sizeof(theirs)];

	memcpy(before, theirs, sizeof(theirs));
	otel_thread_ctx_v1 = theirs;
	span_begin(&thread_span, &context, true);
	assert_ptr_equal(otel_thread_ctx_v1, theirs);
	span_begin(&thread_span, &none, false);
	assert_ptr_equal(otel_thread_ctx_v1, theirs);
	assert_memory_equal(theirs, before, sizeof(theirs));
	/* Our own handler knows all the same. */
	span_begin(&thread_span, &context, true);
	assert_memory_equal(&span_read(&thread_span)->context, &context, sizeof(context));
	/* And once they let go it is ours again. */
	otel_thread_ctx_v1 = NULL;
	span_begin(&thread_span, &context, false);
	assert_ptr_equal(otel_thread_ctx_v1, &span_read(&thread_span)->record);
}

static void stretches_count_up_by_one(void **state)
{
	struct feed_context context = traced(1);

	for (uint64_t i = 1; i < 10; i++) {
		span_begin(&thread_span, &context, false);
		assert_int_equal(span_read(&thread_span)->stretch, i);
	}
}

static void a_handler_at_any_moment_reads_one_context_whole(void **state)
{
	interrupts = 0;
	watched = true;
	for (uint8_t i = 1; i < 200; i++) {
		struct feed_context context = i % 5 ? traced(i) : context_of(i, i % 2);

		span_begin(&thread_span, &context, i % 2);
		assert_whole();
	}
	assert_true(interrupts >= 2 * 199);
}

static void *look_at_own_slot(void *arg)
{
	*(void **)arg = otel_thread_ctx_v1;
	return NULL;
}

static void every_thread_has_its_own_slot(void **state)
{
	struct feed_context context = traced(1);
	void *seen = &seen;
	pthread_t thread;

	span_begin(&thread_span, &context, true);
	assert_int_equal(pthread_create(&thread, NULL, look_at_own_slot, &seen), 0);
	pthread_join(thread, NULL);
	assert_null(seen);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
	    TEST(the_record_has_the_layout_of_the_specification),
	    TEST(without_ids_the_slot_is_empty),
	    TEST(the_slot_flips_between_two_records),
	    TEST(the_record_of_another_writer_is_left_alone),
	    TEST(stretches_count_up_by_one),
	    TEST(a_handler_at_any_moment_reads_one_context_whole),
	    TEST(every_thread_has_its_own_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

static void interrupt(void)
{
	interrupts++;
	if (watched)
		assert_whole();
}

#undef atomic_signal_fence
#define atomic_signal_fence(o)                                                                     \
	do {                                                                                       \
		__atomic_signal_fence(__ATOMIC_SEQ_CST);                                           \
		interrupt();                                                                       \
	} while (0)
#include "shim/span.c"
