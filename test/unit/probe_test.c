/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of the uploader's question for the server's version (agent/upload.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/unit/upload_fixture.h"

static struct step version(const char *text, char body[200])
{
	snprintf(body, 200, "{\"status\":\"success\",\"data\":{\"version\":\"%s\"}}", text);
	return answer(200, body);
}

static bool allowed(struct uploader *u)
{
	bool known;
	bool yes = uploader_trace_id_allowed(u, &known);

	assert_true(known);
	return yes;
}

static bool known(struct uploader *u)
{
	bool yes;

	uploader_trace_id_allowed(u, &yes);
	return yes;
}

static void until_known(struct uploader *u)
{
	for (unsigned i = 0; i < ROUNDS_MAX && !known(u); i++) {
		uploader_poll(u, now);
		uploader_wait(u, NULL, 0, 10);
	}
	assert_true(known(u));
}

static unsigned probes(void)
{
	unsigned n;

	pthread_mutex_lock(&server.lock);
	n = server.probes;
	pthread_mutex_unlock(&server.lock);
	return n;
}

static void set_probe(struct step step)
{
	pthread_mutex_lock(&server.lock);
	server.probe = step;
	pthread_mutex_unlock(&server.lock);
}

static void check_answer(struct step step, bool expected)
{
	struct uploader *u;

	set_probe(step);
	u = new_uploader(UPLOAD_TRACE_ID_AUTO);
	assert_false(known(u));
	until_known(u);
	assert_int_equal(allowed(u), expected);
	uploader_free(u);
}

static void only_a_server_that_says_it_is_old_goes_without_trace_ids(void **state)
{
	char body[200];

	SERVE(answer(200, NULL));
	check_answer(version("1.21.1", body), false);
	check_answer(version("2.0.6", body), false);
	check_answer(version("2.2.1", body), true);
	check_answer(version("", body), true);
	check_answer(answer(200, "<html>"), true);
	check_answer(answer(404, "404 page not found"), true);
	check_answer(answer(401, NULL), true);
	check_answer(redirect("Location: http://127.0.0.1:1/\r\n"), true);
	assert_int_equal(said(""), 0);
	server_stop(&server);
}

static void a_configured_choice_asks_nobody(void **state)
{
	struct uploader *u;

	SERVE(answer(200, NULL));
	u = new_uploader(UPLOAD_TRACE_ID_OFF);
	assert_false(allowed(u));
	pump(u, 10);
	uploader_free(u);
	u = new_uploader(UPLOAD_TRACE_ID_ON);
	assert_true(allowed(u));
	pump(u, 10);
	uploader_free(u);
	assert_int_equal(probes(), 0);
	server_stop(&server);
}

static void a_server_that_cannot_answer_yet_is_asked_again(void **state)
{
	struct uploader *u;

	SERVE(answer(200, NULL));
	set_probe(answer(503, "starting"));
	u = new_uploader(UPLOAD_TRACE_ID_AUTO);
	pump(u, 20);
	assert_int_equal(probes(), 1);
	assert_false(known(u));
	assert_int_equal(said("cannot upload profiles"), 1);
	set_probe(misbehave(STEP_CLOSE_READ));
	now += 2 * S;
	pump(u, 20);
	assert_int_equal(probes(), 2);
	assert_false(known(u));
	set_probe(answer(404, NULL));
	now += 4 * S;
	until_known(u);
	assert_int_equal(said("work again"), 1);
	assert_int_equal(said(""), 2);
	uploader_free(u);
	server_stop(&server);
}

static void the_server_is_asked_again_every_ten_minutes(void **state)
{
	struct uploader *u;
	char body[200], newer[200];

	SERVE(answer(200, NULL));
	set_probe(version("1.21.1", body));
	u = new_uploader(UPLOAD_TRACE_ID_AUTO);
	until_known(u);
	now += 590 * S;
	pump(u, 10);
	assert_int_equal(probes(), 1);
	assert_false(allowed(u));
	/* Down during the upgrade: the answer that was had stays good. */
	set_probe(answer(502, NULL));
	now += 20 * S;
	pump(u, 10);
	assert_int_equal(probes(), 2);
	assert_false(allowed(u));
	set_probe(version("2.2.1", newer));
	now += 2 * S;
	pump(u, 10);
	assert_int_equal(probes(), 3);
	assert_true(allowed(u));
	assert_int_equal(said(""), 0);
	uploader_free(u);
	server_stop(&server);
}

static void an_answered_question_does_not_end_a_failure_of_pushes(void **state)
{
	struct uploader *u;

	SERVE(answer(503, NULL), answer(503, NULL), answer(200, NULL));
	u = new_uploader(UPLOAD_TRACE_ID_AUTO);
	submit(u, 100, 1);
	until_known(u);
	until_pushes(u, 1);
	pump(u, 10);
	now += 601 * S;
	until_pushes(u, 2);
	pump(u, 10);
	assert_int_equal(probes(), 2);
	assert_int_equal(said("work again"), 0);
	until_idle(u);
	assert_int_equal(said("cannot upload"), 1);
	assert_int_equal(said("work again"), 1);
	uploader_free(u);
	server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LOGGED(only_a_server_that_says_it_is_old_goes_without_trace_ids),
	    LOGGED(a_configured_choice_asks_nobody),
	    LOGGED(a_server_that_cannot_answer_yet_is_asked_again),
	    LOGGED(the_server_is_asked_again_every_ten_minutes),
	    LOGGED(an_answered_question_does_not_end_a_failure_of_pushes),
	};

	return cmocka_run_group_tests(tests, make_log, remove_log);
}
