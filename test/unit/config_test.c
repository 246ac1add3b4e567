/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/config.c: every variable, good and bad. Each reading is a child's, since a process reads its
 * environment once; what it read comes back in shared memory, what it said in a file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/config.h"
#include "shim/propagator.h"

#define SERVER "PYROSCOPE_SERVER_ADDRESS=http://profiles:4040"

static struct reading {
	struct config config;
	struct feed_config feed;
	bool wanted;
} * reading;
static char said[8192];
static char log_path[] = "/tmp/spanprof-config-XXXXXX";

static void read_as(const char *executable, const char *const *variables)
{
	int status, fd = open(log_path, O_RDWR | O_TRUNC | O_CLOEXEC);
	ssize_t n;
	pid_t pid;

	memset(reading, 0, sizeof(*reading));
	pid = fork();
	if (pid == 0) {
		clearenv();
		setenv("SPANPROF_LOG_FILE", log_path, 1);
		for (; *variables; variables++)
			putenv((char *)(uintptr_t)*variables);
		reading->config.feed = &reading->feed;
		reading->wanted = config_read(&reading->config, executable);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	n = read(fd, said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = 0;
	close(fd);
}

#define READ(...) read_as("/usr/sbin/nginx", (const char *const[]){__VA_ARGS__, NULL})

static int setup(void **state)
{
	int fd = mkstemp(log_path);

	close(fd);
	reading =
	    mmap(NULL, sizeof(*reading), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return 0;
}

static int teardown(void **state)
{
	unlink(log_path);
	return 0;
}

static void without_a_place_for_profiles_nothing_is_profiled_or_said(void **state)
{
	READ("OTEL_SERVICE_NAME=shop");
	assert_false(reading->wanted);
	READ("PYROSCOPE_SERVER_ADDRESS=");
	assert_false(reading->wanted);
	READ(SERVER, "SPANPROF_ENABLED=false");
	assert_false(reading->wanted);
	assert_string_equal(said, "");
	READ("SPANPROF_OUTPUT_DIR=/tmp/x");
	assert_true(reading->wanted);
}

static void the_defaults_are_the_documented_ones(void **state)
{
	READ(SERVER);
	assert_true(reading->wanted);
	assert_int_equal(reading->config.enabled, 1);
	assert_int_equal(reading->config.eager, 0);
	assert_int_equal(reading->config.sample_rate, 100);
	assert_int_equal(reading->feed.period_ns, 10000000);
	assert_int_equal(reading->feed.upload_interval_ms, 15000);
	assert_int_equal(reading->feed.frames_max, 128);
	assert_int_equal(reading->feed.max_spans, 5000);
	assert_int_equal(reading->feed.span_names, FEED_NAMES_ROUTE);
	assert_int_equal(reading->feed.exit_timeout_ms, 2000);
	assert_int_equal(reading->feed.log_level, FEED_LOG_WARN);
	assert_int_equal(reading->feed.trace_id_label, FEED_AUTO);
	assert_string_equal(reading->feed.server, "http://profiles:4040");
	assert_string_equal(reading->feed.service, "nginx");
	assert_string_equal(reading->feed.labels, "");
	assert_string_equal(reading->feed.output_dir, "");
	assert_string_equal(said, "");
}

static uint32_t word_at(bool feed, size_t offset)
{
	uint32_t word;

	memcpy(&word, feed ? (char *)&reading->feed + offset : (char *)&reading->config + offset,
	       sizeof(word));
	return word;
}

#define FEED(field) true, offsetof(struct feed_config, field)
#define OWN(field) false, offsetof(struct config, field)

static void every_number_and_word_is_taken(void **state)
{
	static const struct {
		const char *variable;
		bool feed;
		size_t offset;
		uint32_t expected;
	} cases[] = {
	    {"SPANPROF_LOG_LEVEL=none", FEED(log_level), FEED_LOG_NONE},
	    {"SPANPROF_LOG_LEVEL=ERROR", FEED(log_level), FEED_LOG_ERROR},
	    {"SPANPROF_LOG_LEVEL=info", FEED(log_level), FEED_LOG_INFO},
	    {"SPANPROF_LOG_LEVEL=Debug", FEED(log_level), FEED_LOG_DEBUG},
	    {"SPANPROF_ENABLED=yes", OWN(enabled), 1},
	    {"SPANPROF_ENABLED=TRUE", OWN(enabled), 1},
	    {"SPANPROF_ENABLED=0", OWN(enabled), 0},
	    {"SPANPROF_ENABLED=off", OWN(enabled), 0},
	    {"SPANPROF_ENABLED=no", OWN(enabled), 0},
	    {"SPANPROF_START=eager", OWN(eager), 1},
	    {"SPANPROF_START=tick", OWN(eager), 0},
	    {"SPANPROF_SAMPLE_RATE=1", OWN(sample_rate), 1},
	    {"SPANPROF_SAMPLE_RATE=1000", OWN(sample_rate), 1000},
	    {"SPANPROF_STACK_DEPTH=1", FEED(frames_max), 1},
	    {"SPANPROF_MAX_SPANS=1", FEED(max_spans), 1},
	    {"SPANPROF_MAX_SPANS=100000", FEED(max_spans), 100000},
	    {"SPANPROF_SPAN_NAMES=route", FEED(span_names), FEED_NAMES_ROUTE},
	    {"SPANPROF_SPAN_NAMES=Method", FEED(span_names), FEED_NAMES_METHOD},
	    {"SPANPROF_SPAN_NAMES=off", FEED(span_names), FEED_NAMES_OFF},
	    {"SPANPROF_STACK_DEPTH=1024", FEED(frames_max), 1024},
	    {"SPANPROF_TRACE_ID_LABEL=on", FEED(trace_id_label), FEED_ON},
	    {"SPANPROF_TRACE_ID_LABEL=off", FEED(trace_id_label), FEED_OFF},
	    {"SPANPROF_VERIFY_STACKS=on", FEED(verify_stacks), 1},
	    {"SPANPROF_VERIFY_STACKS=0", FEED(verify_stacks), 0},
	    {"SPANPROF_EXIT_TIMEOUT=0", FEED(exit_timeout_ms), 0},
	    {"SPANPROF_EXIT_TIMEOUT=1500ms", FEED(exit_timeout_ms), 1500},
	    {"SPANPROF_EXIT_TIMEOUT=60s", FEED(exit_timeout_ms), 60000},
	    {"PYROSCOPE_UPLOAD_INTERVAL=1s", FEED(upload_interval_ms), 1000},
	    {"PYROSCOPE_UPLOAD_INTERVAL=10m", FEED(upload_interval_ms), 600000},
	    {"PYROSCOPE_UPLOAD_INTERVAL=20", FEED(upload_interval_ms), 20000},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		READ(SERVER, cases[i].variable);
		if (word_at(cases[i].feed, cases[i].offset) != cases[i].expected)
			fail_msg("%s", cases[i].variable);
		assert_string_equal(said, "");
	}
	READ(SERVER, "SPANPROF_SAMPLE_RATE=1000");
	assert_int_equal(reading->feed.period_ns, 1000000);
}

/* One line, that names the variable. */
static void assert_said_once(const char *variable)
{
	char start[64];

	snprintf(start, sizeof(start), "spanprof: %.*s=", (int)strcspn(variable, "="), variable);
	if (strncmp(said, start, strlen(start)) != 0 ||
	    strchr(said, '\n') != said + strlen(said) - 1)
		fail_msg("%s: \"%s\"", variable, said);
}

static void a_bad_value_is_said_once_and_the_default_used(void **state)
{
	static const char *const bad[] = {"SPANPROF_LOG_LEVEL=loud",
					  "SPANPROF_LOG_LEVEL=3",
					  "SPANPROF_ENABLED=maybe",
					  "SPANPROF_START=later",
					  "SPANPROF_SAMPLE_RATE=0",
					  "SPANPROF_SAMPLE_RATE=1001",
					  "SPANPROF_SAMPLE_RATE=-1",
					  "SPANPROF_SAMPLE_RATE=+5",
					  "SPANPROF_SAMPLE_RATE= 5",
					  "SPANPROF_SAMPLE_RATE=5 ",
					  "SPANPROF_SAMPLE_RATE=1e2",
					  "SPANPROF_SAMPLE_RATE=18446744073709551716",
					  "SPANPROF_MAX_SPANS=0",
					  "SPANPROF_MAX_SPANS=100001",
					  "SPANPROF_MAX_SPANS=many",
					  "SPANPROF_SPAN_NAMES=path",
					  "SPANPROF_STACK_DEPTH=0",
					  "SPANPROF_STACK_DEPTH=1025",
					  "SPANPROF_STACK_DEPTH=-1",
					  "SPANPROF_STACK_DEPTH=128 ",
					  "SPANPROF_STACK_DEPTH=deep",
					  "SPANPROF_TRACE_ID_LABEL=yes",
					  "SPANPROF_EXIT_TIMEOUT=61s",
					  "SPANPROF_EXIT_TIMEOUT=-1s",
					  "SPANPROF_EXIT_TIMEOUT=s",
					  "SPANPROF_EXIT_TIMEOUT=1h",
					  "SPANPROF_EXIT_TIMEOUT=307445734561825861m",
					  "PYROSCOPE_UPLOAD_INTERVAL=999ms",
					  "PYROSCOPE_UPLOAD_INTERVAL=11m",
					  "PYROSCOPE_UPLOAD_INTERVAL=1.5s",
					  "PYROSCOPE_UPLOAD_INTERVAL=15 s",
					  "SPANPROF_SAMPLE_RATE=9\nspanprof: forged"};
	static struct reading expected;

	READ(SERVER);
	expected = *reading;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		READ(SERVER, bad[i]);
		assert_said_once(bad[i]);
		assert_memory_equal(&reading->feed, &expected.feed, sizeof(expected.feed));
		assert_memory_equal(&reading->config, &expected.config,
				    offsetof(struct config, feed));
	}
}

static void a_server_that_is_no_address_is_none(void **state)
{
	static const char *const bad[] = {"profiles:4040", "ftp://profiles", "http:/x",
					  "http://a b", "https://\x7f\t"};
	char variable[128];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(variable, sizeof(variable), "PYROSCOPE_SERVER_ADDRESS=%s", bad[i]);
		READ(variable);
		assert_false(reading->wanted);
		assert_said_once(variable);
	}
	READ("PYROSCOPE_SERVER_ADDRESS=HTTPS://user:pass@profiles/prefix");
	assert_true(reading->wanted);
	assert_string_equal(reading->feed.server, "HTTPS://user:pass@profiles/prefix");
}

static void what_is_too_long_is_not_cut(void **state)
{
	static const char *const names[] = {
	    "PYROSCOPE_APPLICATION_NAME=", "OTEL_SERVICE_NAME=", "PYROSCOPE_LABELS=k=",
	    "OTEL_RESOURCE_ATTRIBUTES=k=", "SPANPROF_INCLUDE=",	 "SPANPROF_EXCLUDE=",
	    "SPANPROF_OUTPUT_DIR=/"};
	static char variable[8192];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		memset(variable, 'x', sizeof(variable) - 1);
		memcpy(variable, names[i], strlen(names[i]));
		READ(SERVER, variable);
		assert_said_once(variable);
		assert_string_equal(reading->feed.service, "nginx");
		assert_string_equal(reading->feed.labels, "");
		assert_string_equal(reading->feed.output_dir, "");
		assert_string_equal(reading->config.include, "");
		assert_string_equal(reading->config.exclude, "");
	}
}

static void a_server_that_is_too_long_is_none(void **state)
{
	static char variable[8192];

	memset(variable, 'x', sizeof(variable) - 1);
	memcpy(variable, SERVER, strlen(SERVER));
	READ(variable);
	assert_false(reading->wanted);
	assert_said_once(variable);
}

static void paths_become_absolute(void **state)
{
	char cwd[600], expected[700];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	snprintf(expected, sizeof(expected), "%s/profiles", cwd);
	READ("SPANPROF_OUTPUT_DIR=profiles");
	assert_string_equal(reading->feed.output_dir, expected);
	READ("SPANPROF_OUTPUT_DIR=/var/profiles");
	assert_string_equal(reading->feed.output_dir, "/var/profiles");
	assert_string_equal(reading->feed.log_file, log_path);
}

#define APPLICATION "PYROSCOPE_APPLICATION_NAME=app{a=app,b=app}"
#define ATTRIBUTES "OTEL_RESOURCE_ATTRIBUTES=service.name=resource,a=res,b=res,c=res"

static void names_have_their_precedence(void **state)
{
	READ(SERVER, APPLICATION, "OTEL_SERVICE_NAME=otel", ATTRIBUTES);
	assert_string_equal(reading->feed.service, "app");
	READ(SERVER, "OTEL_SERVICE_NAME=otel", ATTRIBUTES);
	assert_string_equal(reading->feed.service, "otel");
	READ(SERVER, ATTRIBUTES);
	assert_string_equal(reading->feed.service, "resource");
	READ(SERVER, "OTEL_RESOURCE_ATTRIBUTES=a=1");
	assert_string_equal(reading->feed.service, "nginx");
	READ(SERVER, "PYROSCOPE_APPLICATION_NAME={a=1}", "OTEL_SERVICE_NAME=otel");
	assert_string_equal(reading->feed.service, "otel");
	assert_string_equal(reading->feed.labels, "a=1");
}

static void labels_have_theirs_and_never_name_the_service(void **state)
{
	READ(SERVER, APPLICATION, ATTRIBUTES,
	     "PYROSCOPE_LABELS=a=own,service_name=x,service.name=y");
	assert_string_equal(reading->feed.labels, "a=own,b=app,c=res");
	assert_string_equal(reading->feed.service, "app");
	assert_string_equal(said, "");
}

static void a_name_is_adapted_to_what_the_server_takes(void **state)
{
	char variable[600] = "OTEL_SERVICE_NAME=";

	READ(SERVER, "OTEL_SERVICE_NAME=my shop:1/a_b.c-d");
	assert_string_equal(reading->feed.service, "my_shop_1/a_b.c-d");
	assert_non_null(strstr(said, "my shop:1"));
	memset(variable + strlen(variable), 'n', 400);
	READ(SERVER, variable);
	assert_true(strlen(reading->feed.service) < sizeof(reading->feed.service));
}

static void malformed_labels_are_said_and_the_rest_kept(void **state)
{
	READ(SERVER, "PYROSCOPE_LABELS=a=1,b-c=2,d=3");
	assert_string_equal(reading->feed.labels, "a=1,d=3");
	assert_non_null(strstr(said, "PYROSCOPE_LABELS="));
	READ(SERVER, "OTEL_RESOURCE_ATTRIBUTES=a=1,b=%zz", "PYROSCOPE_LABELS=c=3");
	assert_string_equal(reading->feed.labels, "c=3");
	assert_non_null(strstr(said, "OTEL_RESOURCE_ATTRIBUTES="));
	READ(SERVER, "PYROSCOPE_APPLICATION_NAME=app{a=1,?=2}tail");
	assert_string_equal(reading->feed.labels, "a=1");
	assert_string_equal(reading->feed.service, "app");
	assert_non_null(strstr(said, "PYROSCOPE_APPLICATION_NAME"));
}

static void programs_are_chosen_by_globs_and_exclusion_wins(void **state)
{
	READ(SERVER, "SPANPROF_INCLUDE=*/redis-server:*/nginx");
	assert_true(reading->wanted);
	READ(SERVER, "SPANPROF_INCLUDE=*/redis-server,/bin/*");
	assert_false(reading->wanted);
	READ(SERVER, "SPANPROF_EXCLUDE=/bin/*,/usr/sbin/*");
	assert_false(reading->wanted);
	READ(SERVER, "SPANPROF_INCLUDE=*/nginx", "SPANPROF_EXCLUDE=*nginx");
	assert_false(reading->wanted);
	READ(SERVER, "SPANPROF_INCLUDE=nginx", "SPANPROF_EXCLUDE=,:");
	assert_false(reading->wanted);
	READ(SERVER, "SPANPROF_EXCLUDE=:,nginx,/usr/bin/*");
	assert_true(reading->wanted);
}

static void the_log_level_silences(void **state)
{
	READ(SERVER, "SPANPROF_LOG_LEVEL=error", "SPANPROF_SAMPLE_RATE=0");
	assert_string_equal(said, "");
	assert_int_equal(reading->config.sample_rate, 100);
}

static void propagators_are_a_list_and_unknown_ones_are_said(void **state)
{
	READ(SERVER, "OTEL_PROPAGATORS=tracecontext,baggage, b3multi");
	assert_int_equal(reading->config.propagators, 1 << PROPAGATOR_TRACECONTEXT |
			 1 << PROPAGATOR_B3 | 1 << PROPAGATOR_B3MULTI);
	assert_string_equal(said, "");
	READ(SERVER, "OTEL_PROPAGATORS=xray,,datadog");
	assert_int_equal(reading->config.propagators, 1 << PROPAGATOR_DATADOG);
	assert_non_null(strstr(said, "OTEL_PROPAGATORS: xray is not known here; ignored"));
	READ(SERVER);
	assert_int_equal(reading->config.propagators, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_place_for_profiles_nothing_is_profiled_or_said),
	    cmocka_unit_test(the_defaults_are_the_documented_ones),
	    cmocka_unit_test(every_number_and_word_is_taken),
	    cmocka_unit_test(a_bad_value_is_said_once_and_the_default_used),
	    cmocka_unit_test(a_server_that_is_no_address_is_none),
	    cmocka_unit_test(what_is_too_long_is_not_cut),
	    cmocka_unit_test(a_server_that_is_too_long_is_none),
	    cmocka_unit_test(paths_become_absolute),
	    cmocka_unit_test(names_have_their_precedence),
	    cmocka_unit_test(labels_have_theirs_and_never_name_the_service),
	    cmocka_unit_test(a_name_is_adapted_to_what_the_server_takes),
	    cmocka_unit_test(malformed_labels_are_said_and_the_rest_kept),
	    cmocka_unit_test(programs_are_chosen_by_globs_and_exclusion_wins),
	    cmocka_unit_test(the_log_level_silences),
	    cmocka_unit_test(propagators_are_a_list_and_unknown_ones_are_said),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
