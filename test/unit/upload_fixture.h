/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the uploader share: a server, a log in a file, and a clock that is the test's,
 * so that waits of minutes pass at once and only the network takes real time.
 */
#ifndef SPANPROF_TEST_UPLOAD_FIXTURE_H
#define SPANPROF_TEST_UPLOAD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/log.h"
#include "agent/upload.h"
#include "test/unit/ingest_server.h"

#define S 1000000000ull
#define ROUNDS_MAX 1000 /* of 10 ms */

static struct server server;
static char base[128], log_path[] = "/tmp/spanprof-upload-XXXXXX";
static uint64_t now = 1000 * S;

static inline void serve(const struct step *steps, unsigned n)
{
	unsigned port = server_start(&server, 0, steps, n);

	snprintf(base, sizeof(base), "http://127.0.0.1:%u", port);
}

#define SERVE(...)                                                                                 \
	serve((struct step[]){__VA_ARGS__},                                                        \
	      sizeof((struct step[]){__VA_ARGS__}) / sizeof(struct step))

/* Nothing of an earlier test may linger in it. */
static inline int fresh_log(void **state)
{
	if (truncate(log_path, 0))
		return -1;
	return log_init(LOG_LEVEL_WARN, log_path, 0);
}

/* Lines of the log that contain text. */
static inline unsigned said(const char *text)
{
	FILE *f = fopen(log_path, "r");
	char line[LOG_LINE_MAX + 2];
	unsigned n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

static inline struct uploader *new_uploader(enum upload_trace_id trace_id)
{
	struct upload_config config = {
	    .server = base, .app_name = "shop", .trace_id_label = trace_id, .timeout_ms = 300};
	struct uploader *u = uploader_new(&config);

	assert_non_null(u);
	return u;
}

static inline void submit(struct uploader *u, size_t len, uint64_t id)
{
	struct spool_item item = {
	    .bytes = malloc(len), .len = len, .from_ns = id, .until_ns = id + 1};

	memset(item.bytes, 'p', len);
	assert_int_equal(uploader_submit(u, &item), 0);
}

static inline struct upload_stats stats(struct uploader *u)
{
	struct upload_stats st;

	uploader_stats(u, &st);
	return st;
}

/* Lets real time pass until the server has had n pushes and their answers were seen. */
static inline void until_pushes(struct uploader *u, unsigned n)
{
	for (unsigned i = 0; i < ROUNDS_MAX && server_pushes(&server) < n; i++) {
		uploader_poll(u, now);
		assert_int_equal(uploader_wait(u, NULL, 0, 10), 0);
	}
	assert_int_equal(server_pushes(&server), n);
}

static inline void pump(struct uploader *u, unsigned rounds)
{
	while (rounds--) {
		uploader_poll(u, now);
		usleep(10000);
	}
}

/* Until idle, a retry being due whenever one is waited for. */
static inline void until_idle(struct uploader *u)
{
	for (unsigned i = 0; i < ROUNDS_MAX && !uploader_idle(u); i++) {
		now += 31 * S;
		uploader_poll(u, now);
		uploader_wait(u, NULL, 0, 10);
	}
	assert_true(uploader_idle(u));
}

static inline int make_log(void **state)
{
	int fd = mkstemp(log_path);

	close(fd);
	return fd < 0;
}

static inline int remove_log(void **state)
{
	log_release();
	return unlink(log_path);
}

#define LOGGED(test) cmocka_unit_test_setup(test, fresh_log)

#endif
