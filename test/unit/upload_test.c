/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of agent/upload.c and agent/http.c against a server thread on loopback. The uploader's
 * clock is the test's: waits of minutes pass at once, only the network takes real time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <time.h>

#include "test/unit/upload_fixture.h"

/* A name server that never answers: libcurl.so calls this one, the executable's. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		struct addrinfo **out)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
	    dlsym(RTLD_NEXT, "getaddrinfo");

	if (host && strcmp(host, "stuck.invalid") == 0) {
		usleep(1500000);
		return EAI_AGAIN;
	}
	return real(host, service, hints, out);
}

static void check_has(const char *text)
{
	if (!memmem(server.last, server.last_len, text, strlen(text)))
		fail_msg("no \"%s\" in the request:\n%s", text, server.last);
}

static void a_profile_arrives_as_a_form_whose_parts_have_file_names(void **state)
{
	const char *const headers[] = {"X-Extra: 1", "X-Bad: a\r\nX-Smuggled: b", NULL};
	struct upload_config config = {
	    .app_name = "a b{k=v,x=/}", .tenant_id = "team", .headers = headers};
	struct spool_item item = {
	    .bytes = strdup("PPROF\n"), .len = 6, .from_ns = 11, .until_ns = 22};
	struct uploader *u;
	char url[200];

	SERVE(answer(200, NULL));
	snprintf(url, sizeof(url), "http://me:s%%3Acret@%s/pre/fix/", base + 7);
	config.server = url;
	config.trace_id_label = UPLOAD_TRACE_ID_ON;
	u = uploader_new(&config);
	item.sample_type_config = "{\"cpu\":{}}";
	assert_int_equal(uploader_submit(u, &item), 0);
	assert_false(uploader_idle(u));
	until_idle(u);
	check_has(
	    "POST "
	    "/pre/fix/ingest?name=a%20b%7Bk%3Dv%2Cx%3D%2F%7D&from=11&until=22&spyName=spanprof "
	    "HTTP/1.1\r\n");
	check_has("; name=\"profile\"; filename=\"profile.pprof\"\r\n");
	check_has("; name=\"sample_type_config\"; filename=\"sample_type_config.json\"\r\n");
	check_has("\r\n\r\nPPROF\n\r\n--");
	check_has("\r\n\r\n{\"cpu\":{}}\r\n--");
	check_has("User-Agent: spanprof/" SPANPROF_VERSION "\r\n");
	check_has("Authorization: Basic bWU6czpjcmV0\r\n");
	check_has("X-Scope-OrgID: team\r\n");
	check_has("X-Extra: 1\r\n");
	assert_null(strstr(server.last, "X-Smuggled"));
	assert_null(strcasestr(server.last, "\nExpect:"));
	assert_null(strcasestr(server.last, "Content-Encoding"));
	assert_null(strstr(server.last, "format="));
	assert_int_equal(stats(u).ok, 1);
	assert_int_equal(stats(u).bytes, 6);
	uploader_free(u);
	server_stop(&server);
}

static void a_busy_server_gets_the_same_profile_again_later(void **state)
{
	const char *limit =
	    "{\"code\":\"unknown\",\"message\":\"rpc error: resource_exhausted: push\"}";
	struct uploader *u;

	SERVE(answer(503, NULL), answer(429, NULL), answer(408, NULL), answer(422, limit),
	      answer(200, NULL));
	u = new_uploader(UPLOAD_TRACE_ID_ON);
	submit(u, 100, 7);
	until_pushes(u, 1);
	pump(u, 10);
	assert_int_equal(server_pushes(&server), 1);
	now += S / 2;
	pump(u, 10);
	assert_int_equal(server_pushes(&server), 1);
	until_idle(u);
	assert_int_equal(server_pushes(&server), 5);
	check_has("from=7&");
	assert_int_equal(stats(u).ok, 1);
	assert_int_equal(stats(u).retried, 4);
	assert_int_equal(said("cannot upload profiles to http://127.0.0.1:"), 1);
	assert_int_equal(said("HTTP 503; trying again every 1 to 30 s"), 1);
	assert_int_equal(said("work again after"), 1);
	assert_int_equal(said(""), 2);
	uploader_free(u);
	server_stop(&server);
}

static void a_retry_can_be_hurried(void **state)
{
	struct uploader *u;

	SERVE(answer(503, NULL), answer(200, NULL));
	u = new_uploader(UPLOAD_TRACE_ID_ON);
	submit(u, 100, 1);
	until_pushes(u, 1);
	pump(u, 10);
	assert_false(uploader_idle(u));
	uploader_hurry(u);
	until_pushes(u, 2);
	uploader_free(u);
	server_stop(&server);
}

static void a_profile_is_dropped_after_eight_tries(void **state)
{
	struct uploader *u;

	SERVE(answer(500, NULL));
	u = new_uploader(UPLOAD_TRACE_ID_ON);
	submit(u, 100, 1);
	until_idle(u);
	assert_int_equal(server_pushes(&server), 8);
	assert_int_equal(stats(u).dropped, 1);
	assert_int_equal(stats(u).retried, 7);
	assert_int_equal(said(""), 1);
	uploader_free(u);
	server_stop(&server);
}

static void a_refused_profile_is_not_repeated_and_told_once_per_status(void **state)
{
	struct uploader *u;

	SERVE(answer(400, "bad\nname"), answer(400, "bad"), answer(422, "x"), answer(200, NULL));
	u = new_uploader(UPLOAD_TRACE_ID_ON);
	for (unsigned i = 0; i < 4; i++)
		submit(u, 100, i);
	until_idle(u);
	assert_int_equal(server_pushes(&server), 4);
	assert_int_equal(stats(u).rejected, 3);
	assert_int_equal(stats(u).ok, 1);
	assert_int_equal(said("rejected a profile: HTTP 400: bad name;"), 1);
	assert_int_equal(said("HTTP 422: x"), 1);
	assert_int_equal(said(""), 2);
	uploader_free(u);
	server_stop(&server);
}

static void redirects_are_not_followed(void **state)
{
	struct uploader *u;

	SERVE(redirect("Location: http://127.0.0.1:1/login\r\n"), answer(200, NULL));
	u = new_uploader(UPLOAD_TRACE_ID_ON);
	submit(u, 100, 1);
	until_idle(u);
	assert_int_equal(server_pushes(&server), 1);
	assert_int_equal(stats(u).rejected, 1);
	assert_int_equal(said("HTTP 307 to http://127.0.0.1:1/login: redirects are not followed"),
			 1);
	uploader_free(u);
	server_stop(&server);
}

static void what_may_have_been_stored_is_not_sent_twice(void **state)
{
	struct uploader *u;

	SERVE(misbehave(STEP_HANG), misbehave(STEP_CLOSE_READ), answer(200, NULL));
	u = new_uploader(UPLOAD_TRACE_ID_ON);
	for (unsigned i = 0; i < 3; i++)
		submit(u, 100, i);
	until_idle(u);
	assert_int_equal(server_pushes(&server), 3);
	check_has("from=2&");
	assert_int_equal(stats(u).ambiguous, 2);
	assert_int_equal(stats(u).ok, 1);
	assert_int_equal(stats(u).retried, 0);
	assert_int_equal(said("2 profiles were lost"), 1);
	uploader_free(u);
	server_stop(&server);
}

static void a_connection_that_breaks_while_sending_is_tried_again(void **state)
{
	struct uploader *u;

	SERVE(misbehave(STEP_CLOSE_UNREAD), answer(200, NULL));
	u = new_uploader(UPLOAD_TRACE_ID_ON);
	submit(u, 15 << 20, 1);
	until_idle(u);
	assert_int_equal(server_pushes(&server), 2);
	assert_int_equal(stats(u).ok, 1);
	assert_int_equal(stats(u).ambiguous, 0);
	uploader_free(u);
	server_stop(&server);
}

static void profiles_wait_while_nobody_listens(void **state)
{
	struct step ok = answer(200, NULL);
	struct uploader *u;
	unsigned port;

	port = server_start(&server, 0, &ok, 1);
	server_stop(&server);
	snprintf(base, sizeof(base), "http://127.0.0.1:%u", port);
	u = new_uploader(UPLOAD_TRACE_ID_ON);
	for (unsigned i = 0; i < SPOOL_ITEMS_MAX + 3; i++) {
		submit(u, 100, i);
		pump(u, 1);
	}
	/* One is out of the spool, as it is being tried. */
	assert_int_equal(stats(u).dropped, 2);
	server_start(&server, port, &ok, 1);
	until_idle(u);
	assert_int_equal(stats(u).ok, SPOOL_ITEMS_MAX + 1);
	assert_int_equal(said("cannot upload"), 1);
	assert_int_equal(said("work again"), 1);
	uploader_free(u);
	server_stop(&server);
}

static uint64_t real_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void a_stuck_name_server_never_holds_the_loop(void **state)
{
	uint64_t start = real_ms(), longest = 0;
	struct uploader *u;

	strcpy(base, "http://stuck.invalid:4040");
	u = new_uploader(UPLOAD_TRACE_ID_ON);
	submit(u, 100, 1);
	while (real_ms() < start + 700) {
		uint64_t before = real_ms(), took;

		uploader_poll(u, now);
		took = real_ms() - before;
		longest = took > longest ? took : longest;
		uploader_wait(u, NULL, 0, 10);
	}
	uploader_free(u);
	/* The resolver's thread still sleeps. */
	assert_true(real_ms() < start + 1200);
	assert_true(longest < 250);
	assert_int_equal(
	    said("cannot upload profiles to http://stuck.invalid:4040: Resolving timed out"), 1);
	usleep(1500000);
}

static void what_was_never_sent_is_told_at_the_end(void **state)
{
	struct uploader *u;

	SERVE(misbehave(STEP_HANG));
	u = new_uploader(UPLOAD_TRACE_ID_ON);
	submit(u, 100, 1);
	submit(u, 100, 2);
	until_pushes(u, 1);
	uploader_free(u);
	assert_int_equal(said("2 profiles could not be uploaded"), 1);
	server_stop(&server);
}

static void waiting_ends_when_one_of_the_callers_fds_is_ready(void **state)
{
	struct uploader *u;
	struct pollfd fd = {.events = POLLIN};
	int p[2];

	SERVE(answer(200, NULL));
	u = new_uploader(UPLOAD_TRACE_ID_ON);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "", 1), 1);
	fd.fd = p[0];
	uploader_poll(u, now);
	assert_int_equal(uploader_wait(u, &fd, 1, -1), 0);
	assert_int_equal(fd.revents, POLLIN);
	assert_int_equal(read(p[0], base, 1), 1);
	assert_int_equal(uploader_wait(u, &fd, 1, 10), 0);
	assert_int_equal(fd.revents, 0);
	close(p[0]);
	close(p[1]);
	uploader_free(u);
	server_stop(&server);
}

static void useless_configurations_are_refused(void **state)
{
	struct upload_config config = {.server = "ftp://user:hunter2@h", .app_name = "a"};
	struct spool_item empty = {.bytes = malloc(1), .len = 0};
	struct uploader *u;

	assert_null(uploader_new(&config));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(said("no http or https URL"), 1);
	assert_int_equal(said("hunter2"), 0);
	config.server = NULL;
	assert_null(uploader_new(&config));
	config.server = "localhost:4040";
	u = uploader_new(&config);
	assert_non_null(u);
	assert_int_equal(uploader_submit(u, &empty), -EINVAL);
	uploader_free(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LOGGED(a_profile_arrives_as_a_form_whose_parts_have_file_names),
	    LOGGED(a_busy_server_gets_the_same_profile_again_later),
	    LOGGED(a_retry_can_be_hurried),
	    LOGGED(a_profile_is_dropped_after_eight_tries),
	    LOGGED(a_refused_profile_is_not_repeated_and_told_once_per_status),
	    LOGGED(redirects_are_not_followed),
	    LOGGED(what_may_have_been_stored_is_not_sent_twice),
	    LOGGED(a_connection_that_breaks_while_sending_is_tried_again),
	    LOGGED(profiles_wait_while_nobody_listens),
	    LOGGED(a_stuck_name_server_never_holds_the_loop),
	    LOGGED(what_was_never_sent_is_told_at_the_end),
	    LOGGED(waiting_ends_when_one_of_the_callers_fds_is_ready),
	    LOGGED(useless_configurations_are_refused),
	};

	return cmocka_run_group_tests(tests, make_log, remove_log);
}
