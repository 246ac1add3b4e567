/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/conn_calls.c: on whose behalf a process talks to an HTTP/2 server, and whom the answers name.
 * The numbers need not be open descriptors; the threads have no ring. Requests 1, 2 and 3 are those
 * whose trace id ends in that digit.
 */
#include "test/unit/http2_wire.h"

#include "shim/attribute.h"
#include "shim/conn.h"
#include "shim/conn_calls.h"
#include "shim/conn_table.h"
#include "shim/live.h"
#include "shim/region.h"
#include "shim/thread.h"
#include "shim/tls.h"

#define A 5 /* three clients' connections */
#define B 6
#define C 7
#define UP 9 /* one to a server */
#define NOBODY -1
#define TRACED(digit)                                                                              \
	"GET / HTTP/1.1\r\nHost: shop\r\ntraceparent: 00-1234567890123456789012345678901" digit    \
	"-123456789012345" digit "-01\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct thread self, other;
static struct feed_header header;
static struct region region = {.header = &header};
static struct wire w;

static int setup(void **state)
{
	memset(&self, 0, sizeof(self));
	memset(&other, 0, sizeof(other));
	memset(&header, 0, sizeof(header));
	self.tid = 77;
	other.tid = 78;
	otel_thread_ctx_v1 = NULL;
	atomic_store(&region_current, &region);
	atomic_store(&calls_deferred, 0);
	conn_closing_range(0, ~0U);
	conn_accepted(&self, A);
	conn_accepted(&self, B);
	conn_accepted(&self, C);
	conn_socket(&self, UP);
	return 0;
}

static int teardown(void **state)
{
	conn_closing_range(0, ~0U);
	return live_total() == 0 ? 0 : -1;
}

static void ask(struct thread *t, int fd, const char *text)
{
	conn_received(t, fd, text, (ssize_t)strlen(text));
}

static void answer(struct thread *t, int fd)
{
	conn_sent(t, fd, ANSWER, (ssize_t)strlen(ANSWER));
}

/* The last digit of the trace; 0: a request without ids. */
static int working_on(const struct thread *t)
{
	const struct feed_context *context = &span_read(&t->span)->context;

	if (!context->flags)
		return NOBODY;
	return context->flags & FEED_CONTEXT_IDS ? context->trace_id[15] & 15 : 0;
}

static void write_wire(struct thread *t)
{
	conn_sent(t, UP, w.bytes, (ssize_t)w.n);
	w.n = 0;
}

static void read_wire(struct thread *t)
{
	conn_received(t, UP, w.bytes, (ssize_t)w.n);
	w.n = 0;
}

static void call(struct thread *t, uint32_t stream, char digit)
{
	get(&w, stream, END_HEADERS | END_STREAM, "/", digit);
	write_wire(t);
}

static void answered(struct thread *t, uint32_t stream)
{
	frame(&w, HEADERS, END_HEADERS, stream, "\x88", 1);
	read_wire(t);
}

/* In the turn in which it comes. */
#define ASSERT_ANSWER_NAMES(t, stream, digit)                                                      \
	do {                                                                                       \
		attribute_wait(t, true);                                                           \
		answered(t, stream);                                                               \
		assert_int_equal(working_on(t), digit);                                            \
	} while (0)

/* The connection stands: both have said what they begin with. */
static void stands(void)
{
	start(&w, PREFACE);
	write_wire(&self);
	start(&w, "");
	read_wire(&self);
}

/* In one turn each, so that nothing is thought of either. */
static void two_requests(void)
{
	ask(&self, A, TRACED("1"));
	ask(&self, B, TRACED("2"));
	attribute_wait(&self, true);
	assert_int_equal(working_on(&self), NOBODY);
}

static void what_a_head_names_its_answer_names_again(void **state)
{
	stands();
	two_requests();
	call(&self, 1, '1');
	assert_int_equal(working_on(&self), 1);
	call(&self, 3, '2');
	assert_int_equal(working_on(&self), 2);
	ASSERT_ANSWER_NAMES(&self, 1, 1);
	ASSERT_ANSWER_NAMES(&self, 3, 2);
}

/* First bytes, heads and answers in two pieces each, cut anywhere. */
static void however_the_bytes_are_cut(void **state)
{
	static struct wire out, in;

	start(&out, PREFACE);
	get(&out, 1, END_HEADERS, "/", '1');
	frame(&out, DATA, END_STREAM, 1, "body", 4);
	start(&in, "");
	frame(&in, HEADERS, END_HEADERS, 1, "\x88", 1);
	frame(&in, DATA, END_STREAM, 1, "body", 4);
	for (size_t cut = 1; cut < out.n; cut++) {
		setup(NULL);
		two_requests();
		conn_sent(&self, UP, out.bytes, (ssize_t)cut);
		conn_sent(&self, UP, out.bytes + cut, (ssize_t)(out.n - cut));
		assert_int_equal(working_on(&self), 1);
		attribute_wait(&self, true);
		conn_received(&self, UP, in.bytes, (ssize_t)(cut % (in.n - 1) + 1));
		conn_received(&self, UP, in.bytes + cut % (in.n - 1) + 1,
			      (ssize_t)(in.n - 1 - cut % (in.n - 1)));
		assert_int_equal(working_on(&self), 1);
		assert_int_equal(http2_live(conn_find(UP)->http2), 0);
		teardown(NULL);
	}
}

/* "traceparent" is entered by the first head and an index in the second. */
static void a_head_may_be_in_the_table_since_the_first(void **state)
{
	uint8_t block[128] = {0x82, 0x84};
	size_t n = literal(block + 2, "traceparent", "00-12345678901234567890123456789011-1234567890123451-01");

	block[2] = 0x40;
	stands();
	two_requests();
	frame(&w, HEADERS, END_HEADERS, 1, block, n + 2);
	write_wire(&self);
	attribute_wait(&self, true);
	frame(&w, HEADERS, END_HEADERS, 3, "\x82\x84\xbe", 3);
	write_wire(&self);
	assert_int_equal(working_on(&self), 1);
}

static void a_head_may_be_in_several_frames(void **state)
{
	uint8_t block[512];
	size_t n = get_block(block, "/", '2');

	stands();
	two_requests();
	frame(&w, HEADERS, END_STREAM, 1, block, 9);
	write_wire(&self);
	assert_int_equal(working_on(&self), NOBODY);
	frame(&w, CONTINUATION, END_HEADERS, 1, block + 9, n - 9);
	write_wire(&self);
	assert_int_equal(working_on(&self), 2);
}

static void answers_to_several_in_one_read_are_nobodys(void **state)
{
	stands();
	two_requests();
	call(&self, 1, '1');
	call(&self, 3, '2');
	attribute_wait(&self, true);
	frame(&w, HEADERS, END_HEADERS, 1, "\x88", 1);
	frame(&w, HEADERS, END_HEADERS, 3, "\x88", 1);
	read_wire(&self);
	assert_int_equal(working_on(&self), NOBODY);
	assert_int_equal(self.attribution.mode, ATTRIBUTION_NONE);
	/* Both of one request: its. */
	call(&self, 5, '2');
	attribute_wait(&self, true);
	frame(&w, DATA, 0, 3, "x", 1);
	frame(&w, HEADERS, END_HEADERS, 5, "\x88", 1);
	read_wire(&self);
	assert_int_equal(working_on(&self), 2);
}

static void heads_of_several_in_one_write_are_told_apart_later(void **state)
{
	stands();
	two_requests();
	get(&w, 1, END_HEADERS, "/", '1');
	get(&w, 3, END_HEADERS, "/", '2');
	write_wire(&self);
	assert_int_equal(working_on(&self), NOBODY);
	ASSERT_ANSWER_NAMES(&self, 3, 2);
}

static void a_head_without_context_is_the_threads_requests(void **state)
{
	stands();
	ask(&self, A, TRACED("1"));
	call(&self, 1, '-');
	ask(&self, B, TRACED("2"));
	call(&self, 3, '-');
	ASSERT_ANSWER_NAMES(&self, 1, 1);
	ASSERT_ANSWER_NAMES(&self, 3, 2);
}

static void among_heads_with_context_one_without_is_no_traced_requests(void **state)
{
	stands();
	ask(&self, A, TRACED("1"));
	call(&self, 1, '1');
	call(&self, 3, '-');
	ask(&self, B, "GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
	call(&self, 5, '-');
	ASSERT_ANSWER_NAMES(&self, 3, NOBODY);
	answered(&self, 5);
	assert_int_equal(working_on(&self), 0);
}

static void a_head_of_another_trace_is_not_the_threads_requests(void **state)
{
	stands();
	ask(&self, A, TRACED("1"));
	ask(&self, B, TRACED("2"));
	call(&self, 1, '3');
	assert_int_equal(self.attribution.mode, ATTRIBUTION_NONE);
	ASSERT_ANSWER_NAMES(&self, 1, NOBODY);
}

/* Of two unfinished requests of one trace, neither; on a thread that works on one of them, that one. */
static void a_trace_of_two_requests_names_neither(void **state)
{
	stands();
	ask(&self, A, TRACED("1"));
	ask(&self, B, TRACED("1"));
	attribute_wait(&self, true);
	call(&self, 1, '1');
	answered(&self, 1);
	assert_int_equal(working_on(&self), NOBODY);
	ask(&self, C, TRACED("2"));
	call(&self, 3, '1');
	ASSERT_ANSWER_NAMES(&self, 3, NOBODY);
}

/* A loop that keeps heads until it writes: once several went out together, those that come alone may have waited
 * too. */
static void who_writes_heads_together_says_nothing_by_one(void **state)
{
	stands();
	ask(&self, A, TRACED("1"));
	ask(&self, B, TRACED("2"));
	get(&w, 1, END_HEADERS, "/", '-');
	get(&w, 3, END_HEADERS, "/", '-');
	write_wire(&self);
	assert_int_equal(self.attribution.mode, ATTRIBUTION_NONE);
	ask(&self, C, TRACED("3"));
	call(&self, 5, '-');
	attribute_wait(&self, true);
	for (uint32_t stream = 1; stream <= 5; stream += 2) {
		answered(&self, stream);
		assert_int_equal(working_on(&self), NOBODY);
	}
	/* What is named is not in doubt, and with one request there is nothing to mistake. */
	call(&self, 7, '1');
	assert_int_equal(working_on(&self), 1);
	answer(&self, A);
	answer(&self, B);
	call(&self, 9, '-');
	ASSERT_ANSWER_NAMES(&self, 9, 3);
}

static void a_first_head_waited_for_its_connection(void **state)
{
	conn_closing(UP);
	ask(&self, A, TRACED("1"));
	conn_socket(&self, UP);
	attribute_wait(&self, true);
	ask(&self, B, TRACED("2"));
	start(&w, PREFACE);
	call(&self, 1, '-');
	assert_int_equal(working_on(&self), 1);
	attribute_wait(&self, true);
	start(&w, "");
	answered(&self, 1);
	assert_int_equal(working_on(&self), 1);
}

static void data_that_goes_out_later_is_its_streams(void **state)
{
	stands();
	two_requests();
	get(&w, 1, END_HEADERS, "/", '1');
	write_wire(&self);
	attribute_wait(&self, true);
	frame(&w, DATA, 0, 1, "abc", 3);
	write_wire(&self);
	assert_int_equal(working_on(&self), 1);
	/* Not what the thread was thought to work on: it may as well go on with that. */
	ask(&self, C, TRACED("3"));
	frame(&w, DATA, END_STREAM, 1, "abc", 3);
	write_wire(&self);
	assert_int_equal(self.attribution.mode, ATTRIBUTION_NONE);
}

static void streams_end_and_name_nobody_then(void **state)
{
	stands();
	two_requests();
	for (uint32_t stream = 1; stream <= 7; stream += 2)
		call(&self, stream, '1');
	frame(&w, HEADERS, END_HEADERS | END_STREAM, 1, "\x88", 1);
	frame(&w, RST_STREAM, 0, 3, "\0\0\0\1", 4);
	read_wire(&self);
	frame(&w, RST_STREAM, 0, 5, "\0\0\0\1", 4);
	write_wire(&self);
	assert_int_equal(http2_live(conn_find(UP)->http2), 1);
	for (uint32_t stream = 1; stream <= 5; stream += 2) {
		attribute_wait(&self, true);
		answered(&self, stream);
		assert_int_equal(working_on(&self), NOBODY);
	}
	frame(&w, GOAWAY, 0, 0, "\0\0\0\5\0\0\0\0bye", 11);
	read_wire(&self);
	assert_int_equal(http2_live(conn_find(UP)->http2), 0);
}

static void a_finished_requests_stream_names_nobody(void **state)
{
	stands();
	two_requests();
	call(&self, 1, '1');
	answer(&self, A);
	attribute_wait(&self, true);
	ask(&self, C, TRACED("3"));
	ASSERT_ANSWER_NAMES(&self, 1, NOBODY);
}

static void frames_of_no_stream_name_nobody(void **state)
{
	uint64_t guess;

	stands();
	two_requests();
	call(&self, 1, '1');
	ask(&self, C, TRACED("3"));
	frame(&w, 6, 0, 0, "12345678", 8); /* PING */
	read_wire(&self);
	assert_null(attribute_guess(&self, &guess));
}

static void the_connections_end_ends_no_request(void **state)
{
	stands();
	ask(&self, A, TRACED("1"));
	call(&self, 1, '1');
	conn_closing(UP);
	assert_int_equal(live_count(self.tid), 1);
}

static void what_cannot_be_decoded_names_nobody_from_then_on(void **state)
{
	stands();
	two_requests();
	call(&self, 1, '1');
	frame(&w, HEADERS, END_HEADERS, 3, "\xff\xff\xff\xff\xff", 5);
	write_wire(&self);
	assert_int_equal(working_on(&self), NOBODY);
	ASSERT_ANSWER_NAMES(&self, 1, NOBODY);
	assert_null(conn_find(UP)->http2);
	attribute_wait(&self, true);
	call(&self, 5, '1');
	assert_int_equal(working_on(&self), NOBODY);
	answered(&self, 5);
	assert_int_equal(working_on(&self), NOBODY);
}

static void bytes_that_are_not_seen_end_it_too(void **state)
{
	stands();
	two_requests();
	call(&self, 1, '1');
	conn_sent(&self, UP, NULL, 100);
	ASSERT_ANSWER_NAMES(&self, 1, NOBODY);
}

static void a_server_may_speak_first(void **state)
{
	start(&w, "");
	read_wire(&self);
	two_requests();
	start(&w, PREFACE);
	call(&self, 1, '1');
	ASSERT_ANSWER_NAMES(&self, 1, 1);
	/* But not so. */
	conn_closing(UP);
	conn_socket(&self, UP);
	ask(&self, UP, "220 mail\r\n");
	start(&w, PREFACE);
	call(&self, 1, '2');
	assert_null(conn_find(UP)->http2);
}

static void on_a_tls_session_the_plaintext_counts(void **state)
{
	static int session;

	two_requests();
	conn_sent(&self, UP, "\x16\x03\x01\x02", 4);
	conn_received(&self, UP, "\x16\x03\x03\x04", 4);
	start(&w, PREFACE);
	get(&w, 1, END_HEADERS, "/", '2');
	tls_enter(&self, (char *)__builtin_frame_address(0) + 4096, NULL);
	conn_sent(&self, UP, "\x17\x03\x03\x01", 4);
	tls_sent(&self, &session, w.bytes, (ssize_t)w.n);
	assert_int_equal(working_on(&self), 2);
	attribute_wait(&self, true);
	start(&w, "");
	frame(&w, HEADERS, END_HEADERS, 1, "\x88", 1);
	/* Ciphertext outside of the library is nobody's bytes yet. */
	conn_received(&self, UP, "\x17\x03\x03\x01", 4);
	assert_int_equal(working_on(&self), NOBODY);
	tls_enter(&self, (char *)__builtin_frame_address(0) + 4096, NULL);
	tls_received(&self, &session, w.bytes, (ssize_t)w.n);
	assert_int_equal(working_on(&self), 2);
	tls_freed(&session);
}

/* As in gRPC's core, where whoever has the connection writes and reads for all. */
static void on_a_connection_of_several_threads_only_what_is_named_counts(void **state)
{
	stands();
	ask(&self, A, TRACED("1"));
	ask(&other, B, TRACED("2"));
	call(&self, 1, '-');
	call(&other, 3, '-');
	assert_true(conn_find(UP)->carried);
	assert_int_equal(working_on(&other), 2);
	answered(&self, 3);
	assert_int_equal(working_on(&self), 1);
	/* One writes the other's head, which goes on with its own. */
	call(&self, 5, '2');
	assert_int_equal(working_on(&self), 1);
	ASSERT_ANSWER_NAMES(&other, 5, 2);
	ASSERT_ANSWER_NAMES(&self, 5, 1);
}

static void threads_that_use_it_one_after_another_share_nothing(void **state)
{
	stands();
	ask(&self, A, TRACED("1"));
	call(&self, 1, '-');
	frame(&w, HEADERS, END_HEADERS | END_STREAM, 1, "\x88", 1);
	read_wire(&self);
	ask(&other, B, TRACED("2"));
	call(&other, 3, '-');
	assert_false(conn_find(UP)->carried);
	ASSERT_ANSWER_NAMES(&other, 3, 2);
}

static void waiting_for_ones_own_calls_is_work(void **state)
{
	struct pollfd own = {.fd = UP};

	stands();
	ask(&self, A, TRACED("1"));
	call(&self, 1, '1');
	assert_true(conn_all_own(&self, &own, 1));
	ask(&self, B, TRACED("2"));
	call(&self, 3, '2');
	assert_false(conn_all_own(&self, &own, 1));
}

#define UPGRADE(digit)                                                                             \
	"GET / HTTP/1.1\r\nHost: back\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"       \
	"HTTP2-Settings: AAMAAABk\r\ntraceparent: 00-1234567890123456789012345678901" digit           \
	"-123456789012345" digit "-01\r\n\r\n"
#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"

/* The 101 and all behind it in two pieces, cut anywhere. */
static void a_request_that_is_upgraded_is_stream_1(void **state)
{
	static struct wire in;

	in.n = 0;
	put(&in, SWITCHING, strlen(SWITCHING));
	frame(&in, SETTINGS, 0, 0, "", 0);
	frame(&in, HEADERS, END_HEADERS, 1, "\x88", 1);
	for (size_t cut = 1; cut <= in.n; cut++) {
		setup(NULL);
		two_requests();
		conn_sent(&self, UP, UPGRADE("1"), strlen(UPGRADE("1")));
		attribute_wait(&self, true);
		conn_received(&self, UP, in.bytes, (ssize_t)cut);
		assert_int_equal(working_on(&self), 1);
		conn_received(&self, UP, in.bytes + cut, (ssize_t)(in.n - cut));
		start(&w, PREFACE);
		write_wire(&self);
		call(&self, 3, '2');
		attribute_wait(&self, true);
		frame(&w, DATA, END_STREAM, 1, "x", 1);
		read_wire(&self);
		assert_int_equal(working_on(&self), 1);
		attribute_wait(&self, true);
		answered(&self, 3);
		assert_int_equal(working_on(&self), 2);
		teardown(NULL);
	}
}

static void an_upgrade_that_is_declined_changes_nothing(void **state)
{
	two_requests();
	conn_sent(&self, UP, UPGRADE("1"), strlen(UPGRADE("1")));
	attribute_wait(&self, true);
	ask(&self, UP, ANSWER);
	assert_int_equal(working_on(&self), 1);
	assert_null(conn_find(UP)->http2);
	conn_sent(&self, UP, TRACED("2"), strlen(TRACED("2")));
	attribute_wait(&self, true);
	ask(&self, UP, ANSWER);
	assert_int_equal(working_on(&self), 2);
}

static void without_room_it_is_as_any_other_protocol(void **state)
{
	struct http2 *all[2048];
	size_t n = 0;

	while ((all[n] = http2_open(0)))
		n++;
	ask(&self, A, TRACED("1"));
	start(&w, PREFACE);
	call(&self, 1, '-');
	assert_null(conn_find(UP)->http2);
	ASSERT_ANSWER_NAMES(&self, 1, 1);
	while (n)
		http2_close(all[--n]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_a_head_names_its_answer_names_again),
	    TEST(however_the_bytes_are_cut),
	    TEST(a_head_may_be_in_the_table_since_the_first),
	    TEST(a_head_may_be_in_several_frames),
	    TEST(answers_to_several_in_one_read_are_nobodys),
	    TEST(heads_of_several_in_one_write_are_told_apart_later),
	    TEST(a_head_without_context_is_the_threads_requests),
	    TEST(among_heads_with_context_one_without_is_no_traced_requests),
	    TEST(a_head_of_another_trace_is_not_the_threads_requests),
	    TEST(a_trace_of_two_requests_names_neither),
	    TEST(who_writes_heads_together_says_nothing_by_one),
	    TEST(a_first_head_waited_for_its_connection),
	    TEST(data_that_goes_out_later_is_its_streams),
	    TEST(streams_end_and_name_nobody_then),
	    TEST(a_finished_requests_stream_names_nobody),
	    TEST(frames_of_no_stream_name_nobody),
	    TEST(the_connections_end_ends_no_request),
	    TEST(what_cannot_be_decoded_names_nobody_from_then_on),
	    TEST(bytes_that_are_not_seen_end_it_too),
	    TEST(a_server_may_speak_first),
	    TEST(on_a_tls_session_the_plaintext_counts),
	    TEST(on_a_connection_of_several_threads_only_what_is_named_counts),
	    TEST(threads_that_use_it_one_after_another_share_nothing),
	    TEST(waiting_for_ones_own_calls_is_work),
	    TEST(a_request_that_is_upgraded_is_stream_1),
	    TEST(an_upgrade_that_is_declined_changes_nothing),
	    TEST(without_room_it_is_as_any_other_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
