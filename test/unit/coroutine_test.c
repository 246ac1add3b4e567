/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/coroutine.c and shim/attribute_step.c by scripts of what a loop does with its tasks, and whose each
 * sample turns out to be. push_* are ours here: they stand for the ring and the agent behind it.
 *
 * In a script: nX the head of a new request X is read, wX its answer is written, which ends it, bX a piece
 * of its answer is, (T a step of task T begins, ) it ends, ! it ends and so does the task; ^ a task is put
 * behind those that go on; e the loop looks for what is ready, E it waits for that; "." is a tick. The answer
 * has a letter for each tick; "-" is nobody's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "shim/attribute_trial.h"
#include "shim/coroutine.h"
#include "shim/live.h"
#include "shim/push.h"
#include "shim/thread.h"

#define TICKS_MAX 64

static struct thread thread;
static struct tick {
	uint64_t stretch, ticket, trial;
	bool open;
	char owner, tried;
} ticks[TICKS_MAX];
static unsigned tick_count;
static struct feed_context requests[128];
static char task_objects[128];

static char name_of(const struct feed_context *context)
{
	for (int name = 'a'; context->request && name <= 'z'; name++)
		if (requests[name].request == context->request)
			return (char)name;
	return '-';
}

void push_stretch(struct thread *t, uint64_t stretch, const struct feed_context *owner)
{
	for (unsigned i = 0; i < tick_count; i++) {
		if (ticks[i].stretch != stretch)
			continue;
		assert_true(ticks[i].open && !ticks[i].ticket);
		ticks[i].open = false;
		ticks[i].owner = name_of(owner);
	}
}

void push_deferred(struct thread *t, uint64_t stretch, uint64_t ticket)
{
	assert_int_not_equal(ticket, 0);
	for (unsigned i = 0; i < tick_count; i++)
		if (ticks[i].stretch == stretch)
			ticks[i].ticket = ticket;
}

void push_ticket(struct thread *t, uint64_t ticket, const struct feed_context *owner, uint64_t trial)
{
	for (unsigned i = 0; i < tick_count; i++) {
		if (ticks[i].ticket != ticket || !ticks[i].open)
			continue;
		ticks[i].open = trial;
		ticks[i].trial = trial;
		ticks[i].owner = ticks[i].tried = name_of(owner);
	}
}

void push_verdict(uint64_t trial, bool passed)
{
	for (unsigned i = 0; i < tick_count; i++) {
		if (ticks[i].trial != trial || !ticks[i].open)
			continue;
		ticks[i].open = false;
		ticks[i].owner = passed ? ticks[i].tried : '-';
	}
}

static void tick(void)
{
	const struct span_copy *span = span_read(&thread.span);
	bool open = span->flags & FEED_SAMPLE_OPEN;

	assert_true(tick_count < TICKS_MAX);
	ticks[tick_count++] = (struct tick){span->stretch, 0, 0, open,
					    open ? '-' : name_of(&span->context), '-'};
	if (open)
		atomic_store(&thread.span.sampled, span->stretch);
}

static void begin(char name)
{
	struct feed_context *request = &requests[(int)name];

	*request = (struct feed_context){.flags = FEED_CONTEXT_REQUEST, .request = live_number()};
	live_begin(request, thread.tid, thread.attribution.turn);
	attribute_read(&thread, request);
}

static void do_step(const char **script, char *task)
{
	char what = *(*script)++;

	if (what == '(')
		*task = *(*script)++;
	if (what == '(' && !coroutine_enter(&thread, &task_objects[(int)*task]))
		fail_msg("no step");
	if (what == ')' || what == '!')
		coroutine_leave(&thread, &task_objects[(int)*task], what == '!');
	if (what == 'n')
		begin(*(*script)++);
	if (what == 'w' || what == 'b') {
		struct feed_context *request = &requests[(int)*(*script)++];

		attribute_write(&thread, request, true);
		if (what == 'w')
			live_end(request->request);
	}
	if (what == '^')
		attribute_scheduled(&thread);
	if (what == 'e' || what == 'E')
		attribute_wait(&thread, what == 'E');
	if (what == '.')
		tick();
}

static void assert_owners(const char *script, const char *expected)
{
	const char *left = script;
	char owners[TICKS_MAX + 1] = "", task = 0;
	static int32_t tid = 1000;

	memset(&thread, 0, sizeof(thread));
	memset(requests, 0, sizeof(requests));
	thread.tid = tid++; /* what earlier scripts left is another thread's */
	otel_thread_ctx_v1 = NULL;
	tick_count = 0;
	while (*left)
		do_step(&left, &task);
	for (unsigned i = 0; i < tick_count; i++)
		owners[i] = ticks[i].open ? '-' : ticks[i].owner;
	for (int name = 'a'; name <= 'z'; name++)
		live_end(requests[name].request);
	if (strcmp(owners, expected) != 0)
		fail_msg("\"%s\" gives \"%s\", not \"%s\"", script, owners, expected);
}

static void a_tasks_answer_names_all_of_its_steps(void **state)
{
	assert_owners("e na nb e (A .) (B .) e (A .) (B .) e (B . wb) (A . wa)", "ababba");
	/* Those of another that never answers are nobody's. */
	assert_owners("e na nb e (A .) (C .) e (A . wa) (C !", "a-a");
}

static void an_answer_in_pieces_owns_the_steps_between(void **state)
{
	assert_owners("e na nb e (A . ba) (B .) e (A .) e (B . wb) (A . wa", "ababa");
}

static void a_task_that_ends_was_at_the_tail_of_its_answer(void **state)
{
	assert_owners("e na nb e (A . wa .) e (A .) e (A . !", "aaaa");
}

static void a_task_of_an_answered_request_may_work_for_the_next_that_waits(void **state)
{
	assert_owners("e na nb e (A . wa) e (A . wb .", "ab-");
	assert_owners("e na nb nc e (A . wa .) e (A .) e (A . wb", "abbb");
}

static void steps_before_the_next_request_began_are_the_tail_of_the_last(void **state)
{
	assert_owners("e na nz e (A . wa .) e (A .) e nb^ e (A wb", "aaa");
}

/* So much is still wanting, and what earlier tests did is forgotten. */
static void begin_trial(uint32_t left)
{
	while (trial_left(TRIAL_TAIL))
		trial_proof(TRIAL_TAIL);
	for (unsigned i = 0; i < 4096; i++)
		trial_proof(TRIAL_TAIL);
	trial_fail(TRIAL_TAIL, left);
	assert_int_equal(trial_left(TRIAL_TAIL), left);
}

static void a_task_that_its_request_wakes_is_believed_after_some(void **state)
{
	begin_trial(4);
	assert_owners("e na nz e (A . wa) e nb^ e (A .) e (A . wb) e nc^ e (A . wc) e nd^ e (A . wd) "
		      "e nf^ e (A . wf) e",
		      "abbcdf");
	begin_trial(5);
	assert_owners("e na nz e (A . wa) e nb^ e (A .) e (A . wb) e nc^ e (A . wc) e nd^ e (A . wd) "
		      "e nf^ e (A . wf) e",
		      "a-----");
	/* Nothing is held for a verdict that is far away. */
	begin_trial(100);
	assert_owners("e na nz e (A . wa) e nb^ e (A . wb) e", "a-");
	for (unsigned i = 0; i < tick_count; i++)
		assert_false(ticks[i].open);
}

static void a_task_that_something_else_wakes_is_not(void **state)
{
	static const char *const others[] = {
		"e nf^ e e (B . wf) e",	 /* not in the next turn */
		"e nf^ E (B . wf) e",	 /* something was waited for */
		"e nf^ e nx (B . wf) e", /* not before what that turn brought */
		"e nf e (B . wf) e",	 /* that head had no task go on */
		"e nf nx^ e (B . wf) e", /* .. but another */
		"e ^nf e (B . wf) e",
		"e nf e ^(B . wf) e",
		"e nf (C ^) e (B . wf) e", /* .. nor what a task did meanwhile */
		"e nf (C ) ^ e (B . wf) e",
	};

	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char script[256] = "e na nb nz e (A . wa) (B . wb) e nc^ e (A . wc) e nd^ e (A . wd) ";

		begin_trial(4);
		strcat(script, others[i]);
		assert_owners(script, "ab---");
		assert_true(trial_left(TRIAL_TAIL) > 100);
	}
}

static void a_task_that_answers_several_at_a_time_names_nobody(void **state)
{
	assert_owners("e na nb e (A ba) e (A bb) e (A .) e", "-");
}

static void an_address_is_another_task_after_the_end(void **state)
{
	assert_owners("e na nb e (A . ba !e (A .) e (A .) e", "a--");
}

static void a_wait_inside_a_step_is_the_tasks(void **state)
{
	assert_owners("e na nb e (A . e . wa) e", "aa");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tasks_answer_names_all_of_its_steps),
		cmocka_unit_test(an_answer_in_pieces_owns_the_steps_between),
		cmocka_unit_test(a_task_that_ends_was_at_the_tail_of_its_answer),
		cmocka_unit_test(a_task_of_an_answered_request_may_work_for_the_next_that_waits),
		cmocka_unit_test(steps_before_the_next_request_began_are_the_tail_of_the_last),
		cmocka_unit_test(a_task_that_its_request_wakes_is_believed_after_some),
		cmocka_unit_test(a_task_that_something_else_wakes_is_not),
		cmocka_unit_test(a_task_that_answers_several_at_a_time_names_nobody),
		cmocka_unit_test(an_address_is_another_task_after_the_end),
		cmocka_unit_test(a_wait_inside_a_step_is_the_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
