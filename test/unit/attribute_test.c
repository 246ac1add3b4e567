/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/attribute.c by scripts of what a thread does, and whose each sample turns out to be when the
 * agent has read the ends of the stretches. push_stretch is ours here: it stands for the ring and
 * the agent behind it.
 *
 * In a script: nX the head of a new request X was read, jX with others' in one read, which ends by z, rX more of it,
 * wX something was written to its client, dX it is finished, sX something went out to a server for it, tX it names
 * it, a it names none, m for several, g for whom the thread is thought to work; hX it was handed to the thread by
 * who woke it, cX by who created it, y the thread wakes who
 * waits for it, k another request comes; o any other call, + a connection was accepted, - one ended, u an unknown
 * request's bytes were read, e a wait for readiness, p a wake by another thread, i an idle wait, v a write to
 * an unknown client, x the
 * thread ends, l a connection was lost; [X the program enters X itself, ] it leaves; "." is a tick.
 * Requests in lower case carry ids, in upper case they are untraced. The answer has a letter for each
 * tick; "-" is nobody's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <string.h>

#include "shim/attribute.h"
#include "shim/attribute_doubt.h"
#include "shim/live.h"
#include "shim/push.h"
#include "shim/thread.h"

#define TICKS_MAX 64

struct tick {
	uint64_t stretch, ticket, trial;
	bool open, ended;
	char owner; /* what it says itself, then what its stretch's end says */
	char tried; /* .. if the trial is passed */
};

static struct thread thread;
static struct tick ticks[TICKS_MAX];
static unsigned tick_count, pushes;
static uint32_t proof, left_at_start;
static uint32_t helpers_proof, helpers_unproven_at_start, carried_at_start;

static struct feed_context request_of(char name)
{
	struct feed_context request = {.flags = FEED_CONTEXT_REQUEST, .request = (uint32_t)name};

	if (islower(name)) {
		request.flags |= FEED_CONTEXT_IDS;
		memset(request.trace_id, name, sizeof(request.trace_id));
		memset(request.span_id, name, sizeof(request.span_id));
	}
	return request;
}

static char name_of(const struct feed_context *context)
{
	struct feed_context expected;

	if (!context->flags) {
		static const struct feed_context nobody;

		assert_memory_equal(context, &nobody, sizeof(nobody));
		return '-';
	}
	expected = request_of((char)context->request);
	assert_memory_equal(context, &expected, sizeof(expected));
	return (char)context->request;
}

void push_stretch(struct thread *t, uint64_t stretch, const struct feed_context *owner)
{
	assert_ptr_equal(t, &thread);
	/* The next stretch is published before the end of this one is told. */
	assert_true(span_read(&thread.span)->stretch > stretch);
	pushes++;
	for (unsigned i = 0; i < tick_count; i++) {
		if (ticks[i].stretch != stretch)
			continue;
		assert_true(ticks[i].open && !ticks[i].ended);
		ticks[i].owner = name_of(owner);
		ticks[i].ended = true;
	}
}

void push_deferred(struct thread *t, uint64_t stretch, uint64_t ticket)
{
	for (unsigned i = 0; i < tick_count; i++)
		if (ticks[i].stretch == stretch)
			ticks[i].ticket = ticket;
}

void push_ticket(struct thread *t, uint64_t ticket, const struct feed_context *owner, uint64_t trial)
{
	assert_true(trial != TRIAL_NEVER);
	for (unsigned i = 0; i < tick_count; i++) {
		if (ticks[i].ticket != ticket)
			continue;
		ticks[i].trial = trial;
		ticks[i].tried = name_of(owner);
		if (trial)
			continue;
		ticks[i].owner = ticks[i].tried;
		ticks[i].ended = true;
	}
}

void push_verdict(uint64_t trial, bool passed)
{
	for (unsigned i = 0; i < tick_count; i++) {
		if (ticks[i].trial != trial || ticks[i].ended)
			continue;
		assert_true(ticks[i].open);
		ticks[i].owner = passed ? ticks[i].tried : '-';
		ticks[i].ended = true;
	}
}

/* The handler. */
static void tick(void)
{
	const struct span_copy *span = span_read(&thread.span);

	assert_true(tick_count < TICKS_MAX);
	ticks[tick_count++] = (struct tick){.stretch = span->stretch,
					    .open = span->flags & FEED_SAMPLE_OPEN,
					    .owner = name_of(&span->context)};
	if (span->flags & FEED_SAMPLE_OPEN)
		atomic_store(&thread.span.sampled, span->stretch);
}

static void do_step(const char **script)
{
	const struct feed_context *guessed;
	struct feed_context request;
	uint64_t guess;

	switch (*(*script)++) {
	case 'n':
		request = request_of(*(*script)++);
		live_begin(&request, thread.tid, thread.attribution.turn);
		attribute_read(&thread, &request);
		break;
	case 'j':
		request = request_of(*(*script)++);
		live_begin(&request, thread.tid, thread.attribution.turn);
		break;
	case 'z':
		attribute_read_several(&thread);
		break;
	case 'q': /* another thread reads it */
		request = request_of(*(*script)++);
		live_begin(&request, thread.tid + 1, 0);
		break;
	case 'd':
		live_end((uint32_t)*(*script)++);
		break;
	case 's':
		request = request_of(*(*script)++);
		attribute_upstream(&thread, &request, 0);
		break;
	case 't':
		request = request_of(*(*script)++);
		assert_true(live_has(request.request));
		attribute_asks(&thread, &request);
		attribute_upstream(&thread, &request, 0);
		break;
	case 'a':
		attribute_asks_unknown(&thread);
		break;
	case 'm':
		attribute_upstream_mixed(&thread);
		break;
	case 'g':
		guessed = attribute_guess(&thread, &guess);
		assert_non_null(guessed);
		request = *guessed;
		attribute_upstream(&thread, &request, guess);
		break;
	case 'h':
		request = request_of(*(*script)++);
		attribute_handed(&thread, &request, live_alone());
		break;
	case 'c':
		request = request_of(*(*script)++);
		attribute_created(&thread, &request, live_alone());
		break;
	case 'k':
		live_number();
		break;
	case 'y':
		attribute_returned(&thread);
		break;
	case '[':
		request = request_of(*(*script)++);
		assert_true(attribute_enter(&thread, &request));
		break;
	case ']':
		attribute_leave(&thread);
		break;
	case 'p':
		attribute_woken(&thread);
		break;
	case 'b':
		attribute_tail(&thread, true);
		break;
	case 'x':
		attribute_end(&thread);
		break;
	case 'i':
		attribute_idle(&thread);
		break;
	case 'r':
		request = request_of(*(*script)++);
		attribute_read(&thread, &request);
		break;
	case 'w':
		request = request_of(*(*script)++);
		attribute_write(&thread, &request, true);
		break;
	case '+':
		attribute_accepted(&thread);
		break;
	case '-':
		attribute_ended(&thread);
		break;
	case 'o':
		attribute_other(&thread);
		break;
	case 'e':
		attribute_wait(&thread, true);
		break;
	case 'u':
		attribute_read_unknown(&thread);
		break;
	case 'v':
		attribute_write_unknown(&thread);
		break;
	case 'l':
		attribute_lost(&thread);
		break;
	case '.':
		tick();
		break;
	case ' ':
		break;
	default:
		fail_msg("no such step: %c", (*script)[-1]);
	}
}

/* Until the failures of earlier scripts are made up for. */
static void believe(enum trial_kind kind)
{
	for (int i = 0; i < 20000; i++)
		trial_proof(kind);
}

static void assert_owners(const char *script, const char *expected)
{
	const char *left = script;
	char owners[TICKS_MAX + 1] = "";

	memset(&thread, 0, sizeof(thread));
	otel_thread_ctx_v1 = NULL;
	tick_count = pushes = 0;
	believe(TRIAL_ORDER);
	believe(TRIAL_READS);
	believe(TRIAL_READER);
	believe(TRIAL_POOL);
	trial_fail(TRIAL_ORDER, left_at_start);
	attribute_helpers_unproven = helpers_unproven_at_start;
	memset(&attribution_carried, 0, sizeof(attribution_carried));
	attribution_carried.lately = carried_at_start;
	attribution_carried.in_a_row = carried_at_start;
	attribution_batches.unnamed = 0;
	while (*left)
		do_step(&left);
	for (int letter = 'A'; letter <= 'z'; letter++)
		live_end((uint32_t)letter);
	for (unsigned i = 0; i < tick_count; i++)
		owners[i] = ticks[i].open && !ticks[i].ended ? '-' : ticks[i].owner;
	if (strcmp(owners, expected) != 0)
		fail_msg("\"%s\" gives \"%s\", not \"%s\"", script, owners, expected);
}

static void what_follows_a_read_of_an_unknown_request_is_nobodys(void **state)
{
	/* It ends the look-ahead of a write to somebody else ... */
	assert_owners("ra . wa e . u . wa .", "a---");
	/* ... the work before it stays where it was, and a tail ends with it. */
	assert_owners("ra . u . wa . e", "a-a");
	assert_owners("ra wa . u . wb . e", "a-b");
	assert_owners("u . ra . e", "-a");
}

/* First: no later test can go back to before the first request. */
static void before_the_first_request_no_sample_waits(void **state)
{
	assert_owners(". e . o . e . o . e", "-----");
	assert_int_equal(pushes, 0);
	for (unsigned i = 0; i < tick_count; i++)
		assert_false(ticks[i].open);
	assert_int_equal(live_number(), 1);
	assert_int_equal(live_number(), 2);
}

/* nginx: wait, accept, read the head, write, log, read until EAGAIN, wait. */
static void a_request_owns_from_its_head_to_the_next_wait(void **state)
{
	assert_owners("e . o . ra . wa . o . e .", "--aaa-");
	assert_owners("e o ra . . wa . . o . o . e", "aaaaaa");
	assert_owners("e rA . wA . o . e .", "AAA-");
}

static void requests_of_one_batch_follow_one_another(void **state)
{
	assert_owners("e ra . wa . o . rb . wb . o . e .", "aaabbb-");
	assert_owners("e ra . rb . wb . rC . wC . e", "abbCC");
}

/* A client that sends nothing more, a listener that nobody connects to: the end would never come. */
static void a_tail_is_settled_before_the_thread_blocks(void **state)
{
	assert_owners("ra . wa . b", "aa");
	assert_owners("ra . wa . da b . rb . wb", "aaab");
	/* Nothing else is settled early, and without a sample nothing is told. */
	assert_owners("ra e . b . wa .", "aa-");
	assert_owners("ra wa b b b", "");
	assert_int_equal(pushes, 0);
}

static void what_a_thread_knew_stands_when_it_ends(void **state)
{
	assert_owners("ha . x .", "a-");
	assert_owners("ra . wa . x .", "aa-");
	assert_owners("ra wa . l x .", "--");
	assert_owners("[a . x .", "aa");
}

/* redis with its replies at the end of the turn: the write that ends a stretch claims it. */
static void after_a_write_the_next_write_to_another_client_claims(void **state)
{
	assert_owners("e ra . rb . wa . wb . e", "abbb");
	assert_owners("e ra . wa . wb . wC . e .", "abCC-");
}

static void streaming_belongs_to_the_one_stream(void **state)
{
	assert_owners("e ra . wa . o . wa . o . wa . e .", "aaaaaa-");
}

/* Callbacks: the head was read, the loop turned, the work runs, the answer is written. */
static void work_without_a_known_request_is_claimed_by_the_write_it_ends_in(void **state)
{
	assert_owners("e . wa . e", "aa");
	assert_owners("ra e . o . o . wa e", "aaa");
	assert_owners("e . wA . wb", "Ab");
}

static void a_wait_or_another_head_ends_the_look_ahead(void **state)
{
	assert_owners("ra e . e . wa", "-a");
	assert_owners("e . rb . wa", "-b");
	assert_owners("e . e . e . wa .", "--a-");
}

static void a_write_to_one_client_leaves_the_work_for_another_its_owner(void **state)
{
	assert_owners("e ra . wb . e .", "ab-");
}

static void calls_that_mean_nothing_leave_the_request(void **state)
{
	assert_owners("e ra . o . o . ra . e .", "aaaa-");
	assert_int_equal(ticks[0].stretch, ticks[3].stretch);
}

/* "Whatever the thread does is nobody's": until it is known again what it does. */
static void nobody_claims_what_follows_a_lost_connection(void **state)
{
	assert_owners("e ra . l . wb . e .", "a-b-");
	assert_owners("e . l . o . wb", "---");
	assert_owners("e l . rb . wb . e .", "-bb-");
	assert_owners("e l . e . wb", "-b");
}

static void what_was_not_settled_when_a_connection_is_lost_is_nobodys(void **state)
{
	assert_owners("e ra wa . l . e . wb", "--b");
}

static void only_stretches_with_open_samples_are_told(void **state)
{
	assert_owners("e ra wa o e ra wa rb wb e e e", "");
	assert_int_equal(pushes, 0);
	assert_owners("e ra . wa o . e", "aa");
	assert_int_equal(pushes, 1);
	assert_owners("e . . . wa", "aaa");
	assert_int_equal(pushes, 1);
}

static void idle_waits_begin_no_stretch(void **state)
{
	uint64_t stretch;

	assert_owners("e", "");
	stretch = span_read(&thread.span)->stretch;
	for (int i = 0; i < 100; i++)
		attribute_wait(&thread, true);
	assert_int_equal(span_read(&thread.span)->stretch, stretch);
}

static void an_answer_that_begins_early_does_not_cut_the_reading(void **state)
{
	assert_owners("e ra . wa . ra . wa . e .", "aaaa-");
}

/* PostgreSQL waits for a lock inside a query; HAProxy's Lua yields to itself. */
static void with_one_unfinished_request_a_wait_comes_back_to_it(void **state)
{
	assert_owners("e na . e . wa da . e .", "aaa-");
	assert_owners("e na . e . e . e . wa da e .", "aaaa-");
	assert_owners("e nA . e . wA dA e .", "AA-");
	/* But it is not that one's when somebody else's bytes come first. */
	assert_owners("e na . e . nb . wb db e . wa da e", "a-ba");
	assert_owners("e na . e . wb . e", "a-b");
}

static void a_finished_request_is_not_come_back_to(void **state)
{
	assert_owners("e na . wa da . e . o . e", "aa--");
	assert_owners("na . e da . o . e .", "aa--");
}

/* nginx as a proxy: what goes to the server is the request's, and so is what comes back. */
static void servers_are_talked_to_for_a_request(void **state)
{
	assert_owners("e na . nb . e . sa . e . rb . wb db . e . ra . wa da", "abaa-bbaa");
	/* Its first write ends the look-ahead like an answer. */
	assert_owners("e na nb e . sb . o . e", "bbb");
	assert_owners("na wa . sb . e da", "ab");
}

/* Coroutines: slices between waits that nobody claims make every guess among several void. */
static void interleaving_is_detected_and_left_unlabelled(void **state)
{
	assert_owners("na nb e . e . e . wa da . e . wb db . e .", "----bb-");
	assert_owners("na nb nc e . e . wa . wb . rc . e . rc . e", "-------");
	/* Node: a turn accepts a connection, and then answers what was read turns ago. */
	assert_owners("na nb nc e e + . wa da . wb db . e", "---");
	/* A call in the slice explains it: no doubt. */
	assert_owners("na nb e . o e . p . wa da wb db e", "--a");
}

/* In that turn a loop does nothing else, as a rule; what it did will show when it answers. */
static void connections_that_come_and_go_are_work_for_nobody(void **state)
{
	assert_owners("na nb e + . e nc . wc dc e ra . wa da e", "-ca");
	assert_owners("na nb e . + e nc . wc dc e ra . wa da e", "-ca");
	assert_owners("na nb e + e . e nc . wc dc e ra . wa da e", "---");
	/* Nor is what it takes to end one. */
	assert_owners("na nb e - . e nc . wc dc e ra . wa da e", "-ca");
	assert_owners("na nb e - e . e nc . wc dc e ra . wa da e", "---");
}

static void doubt_wears_off_with_what_calls_explain(void **state)
{
	assert_owners("na nb e . e p . wb . wa . wb . wa . wb . wa . e", "-----baa");
}

static void a_new_thread_is_doubted_until_its_answers_come_as_expected(void **state)
{
	char script[512] = "nc nb na . wa da . e wb db wc dc e";

	left_at_start = proof;
	assert_owners("na nb e . wa da . wb db e", "-b");
	/* There is nothing to guess with one. */
	assert_owners("na e . wa da . nb . wb db e", "aab");
	assert_owners(script, "--");
	script[0] = '\0';
	for (int i = 0; i < 8; i++)
		strcat(script, "nz na wa da nb wb db dz ");
	strcat(script, "nc nb na . wa da . e");
	assert_owners(script, "aa");
	/* One that does not is enough to begin anew. */
	strcpy(script + strlen(script) - strlen("na . wa da . e"), "na wb db ra . wa da . e");
	assert_owners(script, "--");
	left_at_start = 0;
}

static void what_is_told_on_trial_holds_if_that_is_passed(void **state)
{
	left_at_start = proof;
	assert_owners("na nb nc nd e . wa da . wb db . wc dc . wd dd . e", "abcdd");
	/* An answer to another than was read last, and work between waits that no call names. */
	assert_owners("na nb nc nd e . wa da . wb db . rc . wd dd . e", "-----");
	assert_owners("na nb nc nd e . wa da . wb db . e . e wc dc wd dd", "---" "-");
	/* Too few answers came: nobody knows yet. */
	assert_owners("na nb nc nd e . wa da . wb db . e", "---");
	left_at_start = 0;
}

static void a_line_to_a_log_behind_an_answer_may_be_the_next_ones_of_a_batch(void **state)
{
	assert_owners("e ja jb jc z wa da o . o wb db o . o wc dc . e", "--c");
	assert_owners("e ja jb jc z e wa da o . o wb db o . o wc dc . e", "--c");
	/* Nor need the thread answer what it went on to, once that was seen, or while it may yet be. */
	assert_owners("e ja jb jc z e wa da o . o e wb db wc dc", "a");
	left_at_start = proof;
	assert_owners("e ja jb jc z e wa da o . o e wb db wc dc", "-");
	left_at_start = 0;
	/* Who is told by a read that the next one's turn has come is at the answer's tail before. */
	assert_owners("e na e nb wb db o . o ra . wa da o . e", "baa");
	/* What no line cuts is the next answer's; behind the last there is nobody else. */
	assert_owners("e ja jb jc z wa da . wb db . wc dc o . e", "bcc");
	/* One by one they are read as they are worked on; and an answer may take several calls. */
	assert_owners("e na . wa da o . nb . wb db o . e", "aabb");
	assert_owners("e na e nb . wb o . o . wb db . e", "bbbb");
}

static void work_that_lines_to_a_log_cut_shows_who_reads_several_first(void **state)
{
	const char *script = "e na nb nc wc dc o . o wb";

	assert_owners("", "");
	while (*script) {
		assert_int_equal(trial_left(TRIAL_READS), 0);
		do_step(&script);
	}
	assert_true(trial_left(TRIAL_READS) > 0);
	for (int letter = 'a'; letter <= 'c'; letter++)
		live_end((uint32_t)letter);
}

static void who_fails_again_must_show_more_until_it_has_long_not(void **state)
{
	believe(TRIAL_READS);
	for (uint32_t wanted = 16; wanted <= 16 << 10; wanted *= 2) {
		trial_fail(TRIAL_READS, 16);
		assert_int_equal(trial_left(TRIAL_READS), wanted);
		while (trial_left(TRIAL_READS))
			trial_proof(TRIAL_READS);
	}
	trial_fail(TRIAL_READS, 16);
	assert_int_equal(trial_left(TRIAL_READS), 16 << 10);
	/* What only ends a trial asks for no more. */
	trial_fail(TRIAL_READS, 0);
	assert_int_equal(trial_left(TRIAL_READS), 16 << 10);
	believe(TRIAL_READS);
	trial_fail(TRIAL_READS, 16);
	assert_int_equal(trial_left(TRIAL_READS), 16);
	believe(TRIAL_READS);
}

static void a_guess_that_was_lent_holds_if_its_trial_is_passed(void **state)
{
	struct feed_context a = request_of('a'), b = request_of('b');
	uint64_t guess;

	assert_owners("", "");
	trial_fail(TRIAL_ORDER, proof);
	live_begin(&a, thread.tid, 0);
	live_begin(&b, thread.tid, 0);
	attribute_read(&thread, &a);
	assert_ptr_equal(attribute_guess(&thread, &guess), &thread.attribution.request);
	assert_int_equal(guess, trial_number(TRIAL_ORDER));
	assert_null(attribute_known(&thread));
	attribute_wait(&thread, true);
	attribute_answered(&thread, &a, guess);
	assert_null(attribute_known(&thread));
	while (trial_left(TRIAL_ORDER))
		trial_proof(TRIAL_ORDER);
	assert_non_null(attribute_known(&thread));
	/* One of a trial that failed is never anybody's. */
	trial_fail(TRIAL_ORDER, 0);
	assert_null(attribute_known(&thread));
	live_end(a.request);
	live_end(b.request);
}

static void several_heads_of_one_read_hang_on_how_answers_come(void **state)
{
	const struct feed_context a = request_of('a'), b = request_of('b');

	assert_owners("", "");
	memset(&attribution_batches, 0, sizeof(attribution_batches));
	live_begin(&a, thread.tid, 0);
	live_begin(&b, thread.tid, 0);
	assert_int_equal(doubt_batched(&thread, &a), 0);
	attribute_read_several(&thread);
	assert_int_equal(trial_by_now(doubt_batched(&thread, &a)), trial_number(TRIAL_BATCH));
	attribution_batches.firsts = attribution_batches.firsts_sampled = 16;
	attribution_batches.nexts = attribution_batches.nexts_sampled = 16;
	assert_int_equal(trial_by_now(trial_number(TRIAL_BATCH)), 0);
	assert_int_equal(doubt_batched(&thread, &a), 0);
	attribution_batches.nexts_sampled = 1;
	assert_true(trial_by_now(trial_number(TRIAL_BATCH)) == TRIAL_NEVER);
	assert_true(doubt_batched(&thread, &a) == TRIAL_NEVER);
	memset(&attribution_batches, 0, sizeof(attribution_batches));
	live_end(a.request);
	live_end(b.request);
}

static void calls_that_go_out_together_are_for_the_last_if_each_is_worked_on_as_it_is_read(void **state)
{
	struct attribution_batches *b = &attribution_batches;

	/* Not before it was seen. */
	memset(b, 0, sizeof(*b));
	assert_owners("na nb . m e", "-");
	b->reads = b->reads_sampled = 16;
	assert_owners("na nb . m . e", "b-");
	assert_owners("na nb . nc . m e", "bc");
	assert_int_equal(b->reads_sampled, 17);
	assert_owners("na m . wa e", "a");
	/* Who reads them all first works on any. */
	b->reads_sampled = 1;
	assert_owners("na nb . m e", "-");
	assert_owners("[a nb . m . ]", "aa");
	memset(b, 0, sizeof(*b));
}

static void reads_that_come_together_do_not_name_the_work(void **state)
{
	char script[512] = "nz nb na wa . wb da db e ";

	assert_owners("nz nc rz wz . rc . e", "zc");
	assert_owners("nz nb na wa . wb da db e nc rz wz . rc . e", "b--");
	/* What it answers itself, with nothing between, is still its work. */
	assert_owners("nz nb na wa . wb da db e nc rz wz . rc . wc", "b-c");
	/* Reads in another turn say nothing. */
	assert_owners("nz nb na e wa . wb da db e nc rz wz . rc . e", "bzc");
	for (int i = 0; i < 16; i++)
		strcat(script, "na . wa da e ");
	strcat(script, "nc rz wz . rc . e");
	assert_owners(script, "baaaaaaaaaaaaaaaa" "zc");
}

static void the_tail_of_what_another_thread_read_may_be_the_next_ones_head(void **state)
{
	assert_owners("qa qb wa da . o . wb db", "-b");
	assert_owners("qa qb wa da . e . qc wb db dc", "-b");
	/* With no other request there is no next. */
	assert_owners("qa wa da . o . e", "aa");
	/* What the thread itself has read does not come off a queue. */
	assert_owners("na qb wa da . o . e db", "aa");
}

static void who_reads_and_takes_off_a_queue_is_not_believed_to_work_on_what_it_read(void **state)
{
	char script[512] = "qc qb na wb db da ";

	assert_owners("qc qb na da nd . e dd dc db", "d");
	assert_owners("qc qb na wb db da nd . e dd dc", "-");
	/* An answer still tells. */
	assert_owners("qc qb na wb db da nd . wd dd dc", "d");
	/* Alone there is nothing to mistake. */
	assert_owners("qc qb na wb db da dc nd . e dd", "d");
	for (int i = 0; i < 16; i++)
		strcat(script, "ne we de ");
	strcat(script, "nd . e dd dc");
	assert_owners(script, "d");
}

static void a_fork_child_keeps_the_one_request_that_its_thread_works_on(void **state)
{
	const char *works_on_one = "na qb qc", *waits = "e";

	assert_owners("", "");
	while (*works_on_one)
		do_step(&works_on_one);
	assert_int_equal(live_total(), 3);
	thread.tid++;
	attribute_forked(&thread, thread.tid - 1);
	assert_int_equal(live_total(), 1);
	assert_int_equal(live_count(thread.tid), 1);
	assert_true(live_has('a'));
	live_begin(&(struct feed_context){.request = 'b', .flags = FEED_CONTEXT_REQUEST}, thread.tid, 0);
	do_step(&waits);
	attribute_forked(&thread, thread.tid);
	assert_int_equal(live_total(), 0);
}

/* Numbers come round, and readers share a counter. */
static void a_fork_childs_number_may_be_that_of_another_threads_counter_in_the_parent(void **state)
{
	const char *works = "na";

	assert_owners("", "");
	live_begin(&(struct feed_context){.request = 'b', .flags = FEED_CONTEXT_REQUEST}, thread.tid + 1, 0);
	do_step(&works);
	trial_fail(TRIAL_ORDER, 3);
	thread.tid++;
	attribute_forked(&thread, thread.tid - 1);
	assert_true(live_has('a'));
	assert_int_equal(live_count(thread.tid), 1);
	assert_int_equal(thread.attribution.mode, ATTRIBUTION_ACTIVE);
}

static void handed_work_is_the_givers_until_the_thread_idles(void **state)
{
	live_number();
	assert_owners("ha . o . i . e .", "aa--");
	assert_owners("ha . hb . i", "ab");
	assert_owners("ha . e . wb", "ab");
	assert_owners("ha . wb . e", "-b");
	/* Who has work of its own keeps it. */
	assert_owners("nb . ha . i . wb db e", "bbb");
}

/* It may be one of a pool and have found another's item in the queue. */
static void handed_work_among_several_is_the_givers_if_the_thread_says_so(void **state)
{
	live_number();
	assert_owners("ha . k . i", "--");
	assert_owners("k ha . k . e", "--");
	assert_owners("ha . k . wa . e", "aaa");
	assert_owners("ha . k . y . k i", "aa-");
	assert_owners("ha . k . x", "--");
	assert_owners("ha . k . sa . e", "aaa");
	/* What it asks of others without naming whom for is a guess. */
	assert_owners("ha . g . i", "aa");
	assert_owners("ha . k . g . e", "---");
}

static void a_thread_created_among_several_is_for_its_creator_if_it_ends_without_idling(void **state)
{
	helpers_unproven_at_start = helpers_proof;
	live_number();
	assert_owners("ca . k . o . x", "aaa");
	assert_owners("ca . k . i", "--");
	assert_owners("ca . k . i . x", "---");
	assert_owners("ca . k . e . x", "---");
	assert_owners("ca . k . rb . x db", "--b");
	helpers_unproven_at_start = 0;
	assert_owners("ca . k . e . x", "aa-");
	assert_owners("ca . k . rb . x db", "aab");
	assert_owners("ca . k . i", "--");
}

/* A pool that grows does not wait before its new thread's first request, nor perhaps behind it. */
static void where_threads_send_each_others_answers_a_created_one_may_be_for_anybody(void **state)
{
	live_number();
	carried_at_start = 1000;
	assert_owners("ca . k . o . x", "---");
	assert_owners("ca . k . e . x", "---");
	/* With one request there is nobody else. */
	assert_owners("ca . o . x", "aa");
	carried_at_start = 0;
}

static void helpers_are_believed_when_some_have_ended_without_idling(void **state)
{
	char script[128] = "";

	helpers_unproven_at_start = helpers_proof;
	live_number();
	for (int i = 0; i < 8; i++)
		strcat(script, "ca x ");
	strcat(script, "ca . k . e ");
	assert_owners(script, "aa");
	/* A new one of a pool is enough to begin anew. */
	strcat(script, "ca i ca . k . e ");
	assert_owners(script, "aa--");
	helpers_unproven_at_start = 0;
}

static void an_idle_wait_ends_the_look_ahead_and_the_tail(void **state)
{
	assert_owners("ra wa . i . wb . i . i . wc . e", "abb-cc");
	/* An answer that is not complete is not over, nor is what the thread has read. */
	assert_owners("na wa . i . wa da e", "aa");
	assert_owners("na . i . wa da e", "aa");
}

static void a_write_for_an_unknown_request_claims_no_tail(void **state)
{
	assert_owners("ra wa . v . wb . e", "-bb");
	assert_owners("na . v . wa da e", "aa");
}

/* A call for a request that is not known: what nobody is known for was for that. */
static void asking_for_an_unknown_request_ends_the_look_ahead(void **state)
{
	assert_owners("na nb e . a . wb . e", "-bb");
	assert_owners("na nb e a . wb . e", "bb");
	assert_owners("na nb e wa . a . wb e", "-b");
	/* One request, or none of this thread's: a pool's asks for what it takes off the queue. */
	assert_owners("na wa da nb e . a . wb e", "bb");
	assert_owners("qa qb e . a . wb e", "bb");
}

/* Callbacks of one turn again: behind the one's call comes the other's work, and its call. */
static void who_asks_for_another_has_turned_to_it_unseen(void **state)
{
	assert_owners("na nb e . ta . sb . e", "aab");
	assert_owners("na nb e . ta tb . e", "ab");
	assert_owners("na nb e . ta . tb . wb e", "a--");
	assert_owners("na . ta . wa e", "aa");
}

static void what_the_program_says_itself_stands(void **state)
{
	assert_owners("[a . rb . wc . e . u . l . ] . e", "aaaaaa-");
	assert_owners("nb . [a . [C . ] . ] . wb db e", "baCab");
	assert_owners("] . na . wa da e", "-a");
	assert_owners("e . [a ] . e", "--");
}

static void contexts_nest_no_deeper_than_stated(void **state)
{
	struct feed_context request = request_of('a');

	memset(&thread, 0, sizeof(thread));
	for (int i = 0; i < ATTRIBUTION_DEPTH; i++)
		assert_true(attribute_enter(&thread, &request));
	assert_false(attribute_enter(&thread, &request));
	for (int i = 0; i < ATTRIBUTION_DEPTH; i++)
		attribute_leave(&thread);
	assert_int_equal(thread.attribution.mode, ATTRIBUTION_NONE);
}

static void a_wake_ends_what_was_known(void **state)
{
	assert_owners("na . nb . p . wa . e", "aba" "a");
	assert_owners("na . p . wa da e", "aa");
}

/* Callbacks of one turn, in which that for the second request logs, or wakes a thread, amid its work. */
static void a_call_behind_an_answer_may_be_for_the_next(void **state)
{
	assert_owners("na nb e p . wa da . o . wb db e", "a-b");
	assert_owners("na nb nC e p . wC dC . o . o wa da . e", "C--a");
	assert_owners("na nb e p . wa da . i . wb db e", "a-b");
	assert_owners("na nb nc e p . wa da . o . tb . e", "a-bb");
	/* Who asks a server for another has turned to that one. */
	assert_owners("na nb nc e p wa da . tb . e", "bb");
}

static void a_call_behind_an_answer_is_its_log_if_the_thread_looks_up_then(void **state)
{
	assert_owners("na nb nc e p . wa da . o . e .", "aaa-");
	assert_owners("na nb nc e p . wa da . i . e .", "aaa-");
	assert_owners("na nb nc e p . wa da . o . o + . e", "aaaa");
	assert_owners("na nb e p . wa da . o . nc . e", "aaac");
	assert_owners("na nb nc e p . wa da . o . b . wb . e", "aaabb");
	/* It is not over. */
	assert_owners("na nb e p . wa . o . wa da . e", "aaaa");
	/* With no other request it is this one's. */
	assert_owners("na . wa da . o . e", "aaa");
	/* What was lost is nobody's. */
	assert_owners("na nb e p . wa da . o . l", "a--");
}

int main(void)
{
	/* As it is before there is any answer. */
	proof = 3;
	helpers_proof = attribute_helpers_unproven;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(before_the_first_request_no_sample_waits),
	    cmocka_unit_test(a_request_owns_from_its_head_to_the_next_wait),
	    cmocka_unit_test(requests_of_one_batch_follow_one_another),
	    cmocka_unit_test(a_tail_is_settled_before_the_thread_blocks),
	    cmocka_unit_test(what_a_thread_knew_stands_when_it_ends),
	    cmocka_unit_test(after_a_write_the_next_write_to_another_client_claims),
	    cmocka_unit_test(streaming_belongs_to_the_one_stream),
	    cmocka_unit_test(work_without_a_known_request_is_claimed_by_the_write_it_ends_in),
	    cmocka_unit_test(a_wait_or_another_head_ends_the_look_ahead),
	    cmocka_unit_test(a_write_to_one_client_leaves_the_work_for_another_its_owner),
	    cmocka_unit_test(calls_that_mean_nothing_leave_the_request),
	    cmocka_unit_test(nobody_claims_what_follows_a_lost_connection),
	    cmocka_unit_test(what_was_not_settled_when_a_connection_is_lost_is_nobodys),
	    cmocka_unit_test(only_stretches_with_open_samples_are_told),
	    cmocka_unit_test(idle_waits_begin_no_stretch),
	    cmocka_unit_test(an_answer_that_begins_early_does_not_cut_the_reading),
	    cmocka_unit_test(what_follows_a_read_of_an_unknown_request_is_nobodys),
	    cmocka_unit_test(with_one_unfinished_request_a_wait_comes_back_to_it),
	    cmocka_unit_test(a_finished_request_is_not_come_back_to),
	    cmocka_unit_test(servers_are_talked_to_for_a_request),
	    cmocka_unit_test(interleaving_is_detected_and_left_unlabelled),
	    cmocka_unit_test(connections_that_come_and_go_are_work_for_nobody),
	    cmocka_unit_test(doubt_wears_off_with_what_calls_explain),
	    cmocka_unit_test(a_new_thread_is_doubted_until_its_answers_come_as_expected),
	    cmocka_unit_test(what_is_told_on_trial_holds_if_that_is_passed),
	    cmocka_unit_test(a_line_to_a_log_behind_an_answer_may_be_the_next_ones_of_a_batch),
	    cmocka_unit_test(work_that_lines_to_a_log_cut_shows_who_reads_several_first),
	    cmocka_unit_test(who_fails_again_must_show_more_until_it_has_long_not),
	    cmocka_unit_test(a_guess_that_was_lent_holds_if_its_trial_is_passed),
	    cmocka_unit_test(several_heads_of_one_read_hang_on_how_answers_come),
	    cmocka_unit_test(calls_that_go_out_together_are_for_the_last_if_each_is_worked_on_as_it_is_read),
	    cmocka_unit_test(reads_that_come_together_do_not_name_the_work),
	    cmocka_unit_test(the_tail_of_what_another_thread_read_may_be_the_next_ones_head),
	    cmocka_unit_test(who_reads_and_takes_off_a_queue_is_not_believed_to_work_on_what_it_read),
	    cmocka_unit_test(a_fork_child_keeps_the_one_request_that_its_thread_works_on),
	    cmocka_unit_test(a_fork_childs_number_may_be_that_of_another_threads_counter_in_the_parent),
	    cmocka_unit_test(handed_work_is_the_givers_until_the_thread_idles),
	    cmocka_unit_test(handed_work_among_several_is_the_givers_if_the_thread_says_so),
	    cmocka_unit_test(a_thread_created_among_several_is_for_its_creator_if_it_ends_without_idling),
	    cmocka_unit_test(where_threads_send_each_others_answers_a_created_one_may_be_for_anybody),
	    cmocka_unit_test(helpers_are_believed_when_some_have_ended_without_idling),
	    cmocka_unit_test(an_idle_wait_ends_the_look_ahead_and_the_tail),
	    cmocka_unit_test(a_write_for_an_unknown_request_claims_no_tail),
	    cmocka_unit_test(asking_for_an_unknown_request_ends_the_look_ahead),
	    cmocka_unit_test(who_asks_for_another_has_turned_to_it_unseen),
	    cmocka_unit_test(what_the_program_says_itself_stands),
	    cmocka_unit_test(contexts_nest_no_deeper_than_stated),
	    cmocka_unit_test(a_wake_ends_what_was_known),
	    cmocka_unit_test(a_call_behind_an_answer_may_be_for_the_next),
	    cmocka_unit_test(a_call_behind_an_answer_is_its_log_if_the_thread_looks_up_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
