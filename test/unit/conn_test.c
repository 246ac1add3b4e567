/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/conn.c: bytes on descriptor numbers to the request that a thread is on. The numbers need not
 * be open. The thread has no ring, so what it would push goes nowhere; its record tells all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/clock.h"
#include "shim/conn.h"
#include "shim/conn_table.h"
#include "shim/live.h"
#include "shim/region.h"
#include "shim/self.h"
#include "shim/thread.h"

#define FD 5
#define TRACED(digit)                                                                              \
	"GET /" digit " HTTP/1.1\r\nHost: shop\r\ntraceparent: 00-" digit digit digit digit        \
	"f3577b34da6a3ce929d0e0e4-00f067aa0ba902" digit "-01\r\n\r\n"
#define ONE TRACED("11")
#define TWO TRACED("22")
#define ANONYMOUS "GET /none HTTP/1.1\r\nHost: shop\r\n\r\n"

static struct thread self, other;
static struct feed_header header;
static struct region region = {.header = &header};

static int setup(void **state)
{
	memset(&self, 0, sizeof(self));
	memset(&other, 0, sizeof(other));
	memset(&header, 0, sizeof(header));
	otel_thread_ctx_v1 = NULL;
	atomic_store(&region_current, &region);
	conn_closing_range(0, ~0U);
	conn_accepted(&self, FD);
	return 0;
}

static void receive(int fd, const char *text)
{
	conn_received(&self, fd, text, (ssize_t)strlen(text));
}

static unsigned counted(enum feed_counter what)
{
	return (unsigned)atomic_load(&header.counters[what]);
}

/* The first byte of the span's trace id; 0: a request without ids; -1: none. */
static int working_on(const struct thread *t)
{
	const struct feed_context *context = &span_read(&t->span)->context;

	if (!context->flags)
		return -1;
	assert_true(context->flags & FEED_CONTEXT_REQUEST && context->request);
	return context->flags & FEED_CONTEXT_IDS ? context->trace_id[0] : 0;
}

static void a_traced_head_makes_its_request_the_threads(void **state)
{
	static const uint8_t span_id[] = {0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0x11};

	receive(FD, ONE);
	assert_int_equal(working_on(&self), 0x11);
	assert_memory_equal(span_read(&self.span)->context.span_id, span_id, sizeof(span_id));
	assert_int_equal(self.attribution.mode, ATTRIBUTION_ACTIVE);
	conn_sent(&self, FD, NULL, 10);
	assert_int_equal(self.attribution.mode, ATTRIBUTION_AFTER);
	assert_int_equal(working_on(&self), 0x11);
}

static void a_head_is_seen_however_it_is_cut(void **state)
{
	for (size_t step = 1; step < sizeof(ONE); step++) {
		setup(state);
		for (size_t at = 0; at < strlen(ONE); at += step) {
			size_t n = strlen(ONE) - at < step ? strlen(ONE) - at : step;

			assert_int_equal(working_on(&self), -1);
			conn_received(&self, FD, &ONE[at], (ssize_t)n);
		}
		assert_int_equal(working_on(&self), 0x11);
	}
}

static void an_untraced_head_on_the_same_connection_ends_the_traced_one(void **state)
{
	uint32_t first;

	receive(FD, ONE);
	first = span_read(&self.span)->context.request;
	conn_sent(&self, FD, NULL, 10);
	receive(FD, ANONYMOUS);
	assert_int_equal(working_on(&self), 0);
	assert_int_not_equal(span_read(&self.span)->context.request, first);
	conn_sent(&self, FD, NULL, 10);
	receive(FD, TWO);
	assert_int_equal(working_on(&self), 0x22);
}

static void an_unsampled_trace_lends_no_ids(void **state)
{
	char text[] = ONE;

	*strstr(text, "-01\r\n\r\n") = 0;
	strcat(text, "-00\r\n\r\n");
	receive(FD, text);
	assert_int_equal(working_on(&self), 0);
}

/* Whose work it is no call tells, and neither does an answer tell which of them it is for. */
static void heads_before_an_answer_leave_the_connection_without_ids(void **state)
{
	uint32_t number;

	receive(FD, ONE TWO);
	number = span_read(&self.span)->context.request;
	assert_int_equal(working_on(&self), 0);
	conn_sent(&self, FD, NULL, 10);
	assert_int_equal(span_read(&self.span)->context.request, number);
	/* The second is still being worked on. */
	receive(FD, ONE);
	assert_int_equal(working_on(&self), 0);
	assert_int_not_equal(span_read(&self.span)->context.request, number);
	conn_closing(FD);
	conn_accepted(&self, FD);
	receive(FD, TWO);
	assert_int_equal(working_on(&self), 0x22);
}

static void an_answer_between_two_heads_is_no_pipelining(void **state)
{
	for (int i = 0; i < 3; i++) {
		receive(FD, i % 2 ? TWO : ONE);
		assert_int_equal(working_on(&self), i % 2 ? 0x22 : 0x11);
		conn_sent(&self, FD, NULL, 10);
	}
	/* The number's next connection does not inherit the answer. */
	conn_closing(FD);
	conn_accepted(&self, FD);
	receive(FD, ONE TWO);
	assert_int_equal(working_on(&self), 0);
}

static void the_end_of_a_connection_is_noted_unless_its_request_is_unfinished(void **state)
{
	receive(FD, ONE);
	attribute_wait(&self, true);
	conn_close(&self, FD);
	assert_false(self.attribution.unasked);
	conn_accepted(&self, FD);
	receive(FD, ONE);
	conn_sent(&self, FD, NULL, 10);
	attribute_wait(&self, true);
	conn_close(&self, FD);
	assert_true(self.attribution.unasked);
	attribute_wait(&self, true);
	/* It was told before; and servers' are no clients'. */
	conn_close(&self, FD);
	conn_socket(&self, FD);
	conn_close(&self, FD);
	assert_false(self.attribution.unasked);
}

static void the_body_belongs_to_its_head(void **state)
{
	receive(FD, "POST / HTTP/1.1\r\nContent-Length: 80\r\n"
		    "traceparent: 00-11111111f3577b34da6a3ce929d0e0e4-00f067aa0ba90211-01\r\n\r\n");
	attribute_wait(&self, true);
	receive(FD, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
	assert_int_equal(working_on(&self), 0x11);
}

static void vectors_are_read_up_to_what_came(void **state)
{
	char bytes[] = ONE TWO;
	size_t half = 30, one = strlen(ONE);
	struct iovec v[] = {
	    {bytes, half}, {NULL, 0}, {bytes + half, one}, {bytes + half + one, one}};

	conn_received_vector(&self, FD, v, 4, (ssize_t)one);
	assert_int_equal(working_on(&self), 0x11);
	conn_sent(&self, FD, NULL, 1);
	/* The rest of the third buffer was not filled: the same call again would begin within TWO.
	 */
	conn_received_vector(&self, FD, (struct iovec[]){{bytes + one, one}}, 1, (ssize_t)one);
	assert_int_equal(working_on(&self), 0x22);
	attribute_wait(&self, true);
	conn_received_vector(&self, FD, v, 0, 100);
	assert_int_equal(working_on(&self), 0x22);
}

static void calls_that_moved_nothing_change_nothing(void **state)
{
	receive(FD, ONE);
	conn_sent(&self, FD, NULL, 10);
	conn_received(&self, FD, NULL, 0);
	conn_received(&self, FD, NULL, -1);
	conn_received_vector(&self, FD, NULL, 3, -1);
	conn_sent(&self, FD, NULL, -1);
	assert_int_equal(self.attribution.mode, ATTRIBUTION_AFTER);
	assert_int_equal(working_on(&self), 0x11);
}

/* Every way in which the number 5 can come to mean something else. */
static void closed(void)
{
	conn_closing(FD);
}

static void closed_by_range(void)
{
	conn_closing_range(3, FD);
}

static void closed_by_range_to_the_end(void)
{
	conn_closing_range(FD, ~0U);
}

static void made_anew(void)
{
	conn_made(FD);
}

static void accepted_anew(void)
{
	conn_accepted(&self, FD);
}

static void (*const ends[])(void) = {closed, closed_by_range, closed_by_range_to_the_end, made_anew,
				     accepted_anew};

static void a_number_that_means_something_else_lends_no_request(void **state)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		setup(state);
		receive(FD, ONE);
		attribute_wait(&self, true);
		ends[i]();
		receive(FD, "x");
		assert_int_equal(working_on(&self), -1);
		conn_sent(&self, FD, NULL, 10);
		assert_int_equal(working_on(&self), -1);
		assert_int_not_equal(self.attribution.mode, ATTRIBUTION_AFTER);
	}
}

static void half_a_head_does_not_survive_its_descriptor(void **state)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		setup(state);
		conn_received(&self, FD, ONE, 40);
		ends[i]();
		receive(FD, &ONE[40]);
		assert_int_equal(working_on(&self), -1);
	}
}

static void other_ranges_leave_the_connection(void **state)
{
	receive(FD, ONE);
	attribute_wait(&self, true);
	conn_closing_range(0, FD - 1);
	conn_closing_range(FD + 1, ~0U);
	conn_closing_range(FD + 1, FD - 1);
	receive(FD, "");
	conn_sent(&self, FD, NULL, 1);
	assert_int_equal(working_on(&self), 0x11);
}

static void a_vfork_childs_close_is_not_ours(void **state)
{
	struct self *page = self_page, theirs = {.pid = getpid() + 1};

	receive(FD, ONE);
	attribute_wait(&self, true);
	self_page = &theirs;
	conn_closing(FD);
	conn_closing_range(0, ~0U);
	self_page = page;
	conn_sent(&self, FD, NULL, 1);
	assert_int_equal(working_on(&self), 0x11);
}

static void a_connection_that_is_not_http_is_never_parsed_again(void **state)
{
	receive(FD, "\x16\x03\x01");
	receive(FD, ONE);
	assert_int_equal(working_on(&self), -1);
}

/* A server may understand what we do not; its work is not the last request's that we understood. */
static void a_head_that_is_not_understood_ends_what_the_connection_lends(void **state)
{
	receive(FD, ONE);
	conn_sent(&self, FD, NULL, 10);
	attribute_wait(&self, true);
	receive(FD, "get / HTTP/1.1\r\n\r\n");
	assert_int_equal(working_on(&self), -1);
	conn_sent(&self, FD, NULL, 10);
	assert_int_equal(working_on(&self), -1);
}

static void an_upgraded_connection_goes_on_for_its_request(void **state)
{
	receive(FD, "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		    "traceparent: 00-11111111f3577b34da6a3ce929d0e0e4-00f067aa0ba90211-01\r\n\r\n");
	conn_sent(&self, FD, NULL, 10);
	attribute_wait(&self, true);
	receive(FD, "\x81\x05hello");
	assert_int_equal(working_on(&self), 0x11);
}

/* What goes out next to the client: frames of HTTP/2's, each its nine bytes and a payload of zeros.
 */
#define FRAME(size, type, flags, stream) "\0\0" size type flags "\0\0\0" stream
#define SENDS(bytes) conn_sent(&self, FD, bytes, sizeof(bytes) - 1)
#define H2C(digit)                                                                                 \
	"GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"                \
	"traceparent: 00-" digit digit digit digit "f3577b34da6a3ce929d0e0e4-00f067aa0ba902" digit \
	"-01\r\n\r\n"
#define SETTINGS FRAME("\0", "\4", "\0", "\0")
#define ANSWER(stream) FRAME("\1", "\1", "\5", stream) "\x88"

static void the_request_of_an_upgrade_is_stream_1(void **state)
{
	receive(FD, H2C("11"));
	assert_int_equal(working_on(&self), 0x11);
	SENDS("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" SETTINGS);
	assert_int_equal(live_count(self.tid), 1);
	assert_int_equal(self.attribution.mode, ATTRIBUTION_ACTIVE);
	attribute_wait(&self, true);
	receive(FD, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	assert_int_equal(working_on(&self), 0x11);
	conn_received(&self, FD, SETTINGS, 9);
	SENDS(ANSWER("\1"));
	assert_int_equal(live_count(self.tid), 0);
	/* Stream 3: ":method: GET", ":path: /", without context. */
	conn_received(&self, FD, FRAME("\2", "\1", "\5", "\3") "\x82\x84", 11);
	assert_int_equal(working_on(&self), 0);
	assert_int_equal(live_count(self.tid), 1);
	SENDS(ANSWER("\3"));
	assert_int_equal(live_count(self.tid), 0);
}

static void an_upgrade_may_be_answered_in_one_write_or_declined(void **state)
{
	receive(FD, H2C("11"));
	SENDS("HTTP/1.1 101 x\r\n\r\n" SETTINGS ANSWER("\1"));
	assert_int_equal(live_count(self.tid), 0);
	assert_int_equal(self.attribution.mode, ATTRIBUTION_AFTER);
	conn_accepted(&self, FD + 1);
	receive(FD + 1, H2C("22"));
	conn_sent(&self, FD + 1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
	assert_int_equal(live_count(self.tid), 0);
	receive(FD + 1, ONE);
	assert_int_equal(working_on(&self), 0x11);
}

static void descriptors_above_the_table_are_counted_and_not_seen(void **state)
{
	conn_accepted(&self, CONN_FD_MAX);
	conn_accepted(&self, INT32_MAX);
	receive(CONN_FD_MAX, ONE);
	conn_made(CONN_FD_MAX);
	conn_closing(INT32_MAX);
	conn_closing(-1);
	assert_int_equal(working_on(&self), -1);
	assert_int_equal(counted(FEED_COUNTER_conn_range), 2);
	conn_accepted(&self, CONN_FD_MAX - 1);
	receive(CONN_FD_MAX - 1, ONE);
	assert_int_equal(working_on(&self), 0x11);
	assert_int_equal(counted(FEED_COUNTER_conn_range), 2);
}

static void upstreams_and_files_end_a_tail_and_nothing_else(void **state)
{
	uint64_t stretch;

	receive(FD, ONE);
	stretch = span_read(&self.span)->stretch;
	conn_sent(&self, FD + 1, NULL, 10);
	conn_received(&self, FD + 1, "HTTP/1.1 200 OK\r\n", 17);
	assert_int_equal(span_read(&self.span)->stretch, stretch);
	conn_sent(&self, FD, NULL, 10);
	conn_sent(&self, FD + 1, NULL, 10);
	assert_int_equal(span_read(&self.span)->stretch, stretch + 2);
	assert_int_equal(working_on(&self), 0x11);
}

/* The second thread comes while the first is reading its bytes: when it touches their page. */
static char *page;

static void second_thread(int signo, siginfo_t *info, void *ucontext)
{
	if ((char *)info->si_addr < page || (char *)info->si_addr >= page + 4096)
		_exit(99);
	conn_received(&other, FD, TWO, (ssize_t)strlen(TWO));
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void two_threads_in_one_connection_at_once_give_it_up(void **state)
{
	struct sigaction action = {.sa_sigaction = second_thread, .sa_flags = SA_SIGINFO}, before;

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(page, ONE);
	mprotect(page, 4096, PROT_NONE);
	sigaction(SIGSEGV, &action, &before);
	conn_received(&self, FD, page, (ssize_t)strlen(ONE));
	sigaction(SIGSEGV, &before, NULL);
	munmap(page, 4096);
	assert_int_equal(working_on(&other), -1);
	assert_int_equal(counted(FEED_COUNTER_conn_busy), 1);
	attribute_wait(&self, true);
	receive(FD, TWO);
	assert_int_equal(working_on(&self), -1);
	/* The next connection with that number is a new start. */
	conn_closing(FD);
	conn_accepted(&self, FD);
	receive(FD, TWO);
	assert_int_equal(working_on(&self), 0x22);
}

/* One that writes comes while another is reading. */
static _Atomic bool reading;

static void *writer(void *unused)
{
	while (!atomic_load(&reading))
		continue;
	conn_sent(&other, FD, NULL, 10);
	return NULL;
}

static void while_it_reads(int signo, siginfo_t *info, void *ucontext)
{
	struct timespec moment = {.tv_nsec = 500000};

	if ((char *)info->si_addr < page || (char *)info->si_addr >= page + 4096)
		_exit(99);
	atomic_store(&reading, true);
	nanosleep(&moment, NULL);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

/* How long the reader was inside, in ns. */
static uint64_t read_while_another_writes(void)
{
	struct sigaction action = {.sa_sigaction = while_it_reads, .sa_flags = SA_SIGINFO}, before;
	uint64_t took_ns = clock_ns(CLOCK_MONOTONIC);
	pthread_t thread;

	atomic_store(&reading, false);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(page, ONE);
	mprotect(page, 4096, PROT_NONE);
	sigaction(SIGSEGV, &action, &before);
	assert_int_equal(pthread_create(&thread, NULL, writer, NULL), 0);
	conn_received(&self, FD, page, (ssize_t)strlen(ONE));
	took_ns = clock_ns(CLOCK_MONOTONIC) - took_ns;
	pthread_join(thread, NULL);
	sigaction(SIGSEGV, &before, NULL);
	munmap(page, 4096);
	return took_ns;
}

static void one_thread_may_read_while_another_writes(void **state)
{
	/* A reader that had to wait for a processor is given up, as it should be, and shows nothing. */
	for (int i = 0; i < 200 && read_while_another_writes() > 3000000; i++)
		setup(state);
	assert_int_equal(counted(FEED_COUNTER_conn_busy), 0);
	assert_int_equal(working_on(&self), 0x11);
	assert_int_equal(working_on(&other), 0x11);
	assert_int_equal(other.attribution.mode, ATTRIBUTION_AFTER);
}

static void a_wait_for_the_other_direction_ends(void **state)
{
	assert_true(conn_enter(conn_find(FD), CONN_READS));
	conn_sent(&self, FD, NULL, 10);
	assert_int_equal(counted(FEED_COUNTER_conn_busy), 1);
	conn_leave(conn_find(FD));
	receive(FD, ONE);
	assert_int_equal(working_on(&self), -1);
}

static void a_forked_child_goes_on_with_a_copy(void **state)
{
	int status;
	pid_t pid;

	conn_received(&self, FD, ONE, 20);
	pid = fork();
	if (pid == 0) {
		receive(FD, &TWO[20]);
		_exit(working_on(&self) == 0x22 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	receive(FD, &ONE[20]);
	assert_int_equal(working_on(&self), 0x11);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
	    TEST(a_traced_head_makes_its_request_the_threads),
	    TEST(a_head_is_seen_however_it_is_cut),
	    TEST(an_untraced_head_on_the_same_connection_ends_the_traced_one),
	    TEST(an_unsampled_trace_lends_no_ids),
	    TEST(heads_before_an_answer_leave_the_connection_without_ids),
	    TEST(an_answer_between_two_heads_is_no_pipelining),
	    TEST(the_end_of_a_connection_is_noted_unless_its_request_is_unfinished),
	    TEST(the_body_belongs_to_its_head),
	    TEST(vectors_are_read_up_to_what_came),
	    TEST(calls_that_moved_nothing_change_nothing),
	    TEST(a_number_that_means_something_else_lends_no_request),
	    TEST(half_a_head_does_not_survive_its_descriptor),
	    TEST(other_ranges_leave_the_connection),
	    TEST(a_vfork_childs_close_is_not_ours),
	    TEST(a_connection_that_is_not_http_is_never_parsed_again),
	    TEST(a_head_that_is_not_understood_ends_what_the_connection_lends),
	    TEST(an_upgraded_connection_goes_on_for_its_request),
	    TEST(the_request_of_an_upgrade_is_stream_1),
	    TEST(an_upgrade_may_be_answered_in_one_write_or_declined),
	    TEST(descriptors_above_the_table_are_counted_and_not_seen),
	    TEST(upstreams_and_files_end_a_tail_and_nothing_else),
	    TEST(two_threads_in_one_connection_at_once_give_it_up),
	    TEST(one_thread_may_read_while_another_writes),
	    TEST(a_wait_for_the_other_direction_ends),
	    TEST(a_forked_child_goes_on_with_a_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
