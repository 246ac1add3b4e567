/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/conn_upstream.c and shim/tls.c: on whose behalf a process talks to servers, and whose a TLS
 * session's plaintext is. The numbers need not be open descriptors; the thread has no ring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <string.h>

#include "shim/conn.h"
#include "shim/conn_table.h"
#include "shim/live.h"
#include "shim/region.h"
#include "shim/thread.h"
#include "shim/tls.h"

#define A 5  /* two clients' connections */
#define B 6
#define UP 9 /* two to servers */
#define UQ 10
#define TRACED(digit)                                                                              \
	"GET /" digit " HTTP/1.1\r\nHost: shop\r\ntraceparent: 00-" digit digit digit digit        \
	"f3577b34da6a3ce929d0e0e4-00f067aa0ba902" digit "-01\r\n\r\n"
#define ONE TRACED("11")
#define TWO TRACED("22")
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct thread self;
static struct feed_header header;
static struct region region = {.header = &header};

static int setup(void **state)
{
	memset(&self, 0, sizeof(self));
	memset(&header, 0, sizeof(header));
	self.tid = 77;
	otel_thread_ctx_v1 = NULL;
	atomic_store(&region_current, &region);
	conn_closing_range(0, ~0U);
	conn_accepted(&self, A);
	conn_accepted(&self, B);
	return 0;
}

static int teardown(void **state)
{
	conn_closing_range(0, ~0U);
	return live_count(77) == 0 ? 0 : -1;
}

static void receive(int fd, const char *text)
{
	conn_received(&self, fd, text, (ssize_t)strlen(text));
}

static void send_to(int fd, const char *text)
{
	conn_sent(&self, fd, text, (ssize_t)strlen(text));
}

/* The first byte of the span's trace id; 0: a request without ids; -1: none. */
static int working_on(void)
{
	const struct feed_context *context = &span_read(&self.span)->context;

	if (!context->flags)
		return -1;
	return context->flags & FEED_CONTEXT_IDS ? context->trace_id[0] : 0;
}

/* nginx: socket and connect in the request, the first write when the connection stands, a wait later. */
static void a_new_connection_is_lent_where_it_is_made(void **state)
{
	receive(A, ONE);
	conn_socket(&self, UP);
	conn_connecting(&self, UP);
	receive(B, TWO);
	attribute_wait(&self, true);
	assert_int_equal(working_on(), -1);
	send_to(UP, "hello");
	assert_int_equal(working_on(), 0x11);
	attribute_wait(&self, true);
	receive(UP, "world");
	assert_int_equal(working_on(), 0x11);
}

static void a_pooled_connection_is_lent_at_each_write(void **state)
{
	conn_socket(&self, UP);
	receive(A, ONE);
	send_to(UP, "hello");
	receive(UP, "world");
	send_to(A, ANSWER);
	receive(B, TWO);
	send_to(UP, "hello");
	attribute_wait(&self, true);
	receive(UP, "world");
	assert_int_equal(working_on(), 0x22);
}

static void what_comes_for_a_finished_request_names_nobody(void **state)
{
	conn_socket(&self, UP);
	receive(A, ONE);
	send_to(UP, "hello");
	send_to(A, ANSWER);
	attribute_wait(&self, true);
	receive(UP, "late");
	assert_int_equal(working_on(), -1);
}

/* Node: the name is looked up, the connection made and written to in later turns than the request's. */
static void a_first_write_that_waited_for_its_connection_is_nobodys(void **state)
{
	uint64_t guess;

	conn_socket(&self, UP);
	conn_connecting(&self, UP);
	attribute_wait(&self, true);
	receive(A, ONE);
	receive(B, TWO);
	send_to(UP, "hello");
	assert_null(attribute_guess(&self, &guess));
	attribute_wait(&self, true);
	receive(UP, "world");
	assert_null(attribute_guess(&self, &guess));
	/* From then on it is a pool's. */
	send_to(A, ANSWER);
	receive(A, ONE);
	send_to(UP, "hello");
	attribute_wait(&self, true);
	receive(UP, "world");
	assert_int_equal(attribute_guess(&self, &guess)->trace_id[0], 0x11);
}

static void what_comes_for_an_unknown_request_ends_another_ones_turn(void **state)
{
	uint64_t guess;

	conn_socket(&self, UP);
	receive(A, ONE);
	receive(B, TWO);
	assert_int_equal(attribute_guess(&self, &guess)->trace_id[0], 0x22);
	receive(UP, "hello");
	assert_null(attribute_guess(&self, &guess));
}

static void what_comes_for_an_unknown_request_is_the_only_ones(void **state)
{
	conn_socket(&self, UP);
	receive(A, ONE);
	receive(UP, "hello");
	assert_int_equal(working_on(), 0x11);
}

/* One connection for several requests at a time: which of them an answer is for, no call tells. */
static void a_shared_connection_names_nobody(void **state)
{
	conn_socket(&self, UP);
	receive(A, ONE);
	send_to(UP, "GET 1");
	receive(B, TWO);
	send_to(UP, "GET 2");
	attribute_wait(&self, true);
	receive(UP, "2");
	assert_int_equal(working_on(), -1);
}

static void the_trace_in_what_goes_out_names_its_request(void **state)
{
	receive(A, ONE);
	receive(B, TWO);
	attribute_wait(&self, true);
	conn_socket(&self, UP);
	send_to(UP, ONE);
	assert_int_equal(working_on(), 0x11);
	attribute_wait(&self, true);
	receive(UP, ANSWER);
	assert_int_equal(working_on(), 0x11);
}

static void the_end_of_an_answer_names_its_request_too(void **state)
{
	conn_socket(&self, UP);
	receive(A, ONE);
	send_to(UP, "hello");
	receive(B, TWO);
	attribute_wait(&self, true);
	conn_received(&self, UP, NULL, 0);
	assert_int_equal(working_on(), 0x11);
}

static void a_pipe_made_in_a_request_is_its_and_any_other_wakes(void **state)
{
	conn_pipe(&self, UQ);
	receive(A, ONE);
	conn_pipe(&self, UP);
	receive(B, TWO);
	receive(UQ, "x");
	assert_int_equal(working_on(), -1);
	receive(UP, "x");
	assert_int_equal(working_on(), 0x11);
}

static void waiting_for_ones_own_descriptors_is_work(void **state)
{
	struct pollfd own[] = {{.fd = A}, {.fd = UP}, {.fd = -1}}, others[] = {{.fd = A}, {.fd = B}};

	conn_socket(&self, UP);
	receive(A, ONE);
	send_to(UP, "hello");
	assert_true(conn_all_own(&self, own, 3));
	assert_false(conn_all_own(&self, others, 2));
	assert_false(conn_all_own(&self, own, 0));
	attribute_wait(&self, true);
	send_to(A, ANSWER);
	assert_false(conn_all_own(&self, own, 1));
}

/* What SSL_read and its like do: a read of ciphertext inside, or what came before from memory. */
static void read_inside(const void *session, int fd, const char *plain)
{
	/* The wrapper's frame lies above those of the calls inside. */
	tls_enter(&self, (char *)__builtin_frame_address(0) + 4096, NULL);
	conn_received(&self, fd, "\x16\x03\x01\x02", 4);
	tls_received(&self, session, plain, (ssize_t)strlen(plain));
}

static void the_calls_inside_a_sessions_read_name_its_connection(void **state)
{
	static int s1, s2;

	read_inside(&s1, A, ONE);
	assert_int_equal(working_on(), 0x11);
	read_inside(&s2, B, TWO);
	assert_int_equal(working_on(), 0x22);
	/* Without any inside, by what was known. */
	tls_enter(&self, (char *)__builtin_frame_address(0) + 4096, NULL);
	tls_sent(&self, &s1, ANSWER, (ssize_t)strlen(ANSWER));
	assert_false(live_of_trace((const uint8_t *)"\x11\x11\x11\x11\xf3\x57\x7b\x34\xda\x6a\x3c\xe9\x29\xd0\xe0\xe4",
				   &(struct feed_context){0}));
	attribute_wait(&self, true);
	conn_received(&self, B, "\x17\x03\x03", 3);
	assert_int_equal(working_on(), 0x22);
	tls_freed(&s1);
	tls_freed(&s2);
}

static void a_session_fed_from_memory_is_the_last_ciphertexts(void **state)
{
	static int session;

	conn_received(&self, A, "\x16\x03\x01\x02\x00\x01", 6);
	assert_int_equal(working_on(), -1);
	tls_enter(&self, (char *)__builtin_frame_address(0) + 4096, NULL);
	tls_received(&self, &session, ONE, (ssize_t)strlen(ONE));
	assert_int_equal(working_on(), 0x11);
	tls_freed(&session);
}

static void a_session_whose_descriptor_means_something_else_by_now_is_lost(void **state)
{
	static int session;

	read_inside(&session, A, ONE);
	conn_closing(A);
	conn_accepted(&self, A);
	attribute_wait(&self, true);
	tls_enter(&self, (char *)__builtin_frame_address(0) + 4096, NULL);
	tls_received(&self, &session, TWO, (ssize_t)strlen(TWO));
	assert_int_equal(working_on(), -1);
	tls_freed(&session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_new_connection_is_lent_where_it_is_made, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_pooled_connection_is_lent_at_each_write, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_comes_for_a_finished_request_names_nobody, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_shared_connection_names_nobody, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_first_write_that_waited_for_its_connection_is_nobodys, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_comes_for_an_unknown_request_ends_another_ones_turn, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_comes_for_an_unknown_request_is_the_only_ones, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_trace_in_what_goes_out_names_its_request, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_end_of_an_answer_names_its_request_too, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_pipe_made_in_a_request_is_its_and_any_other_wakes, setup, teardown),
	    cmocka_unit_test_setup_teardown(waiting_for_ones_own_descriptors_is_work, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_calls_inside_a_sessions_read_name_its_connection, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_session_fed_from_memory_is_the_last_ciphertexts, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_session_whose_descriptor_means_something_else_by_now_is_lost, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
