/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of agent/log.c: this process is its own host, with a pipe for stderr. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/log.h"

static char text[1 << 17]; /* a pipe holds half of it */

/* What the log writes to fd 2 while fn runs; fd 2 is as before afterwards. */
static const char *said(void (*fn)(void))
{
	int saved = dup(2), p[2];
	ssize_t n;

	assert_int_equal(pipe2(p, O_NONBLOCK | O_CLOEXEC), 0);
	dup2(p[1], 2);
	close(p[1]);
	fn();
	dup2(saved, 2);
	close(saved);
	n = read(p[0], text, sizeof(text) - 1);
	/* Our end was the last writer: had the log kept the pipe open, there would be no end. */
	text[n > 0 ? n : 0] = '\0';
	assert_int_equal(read(p[0], text + sizeof(text) - 1, 1), 0);
	close(p[0]);
	return text;
}

static void say_all(void)
{
	log_error("e %d", 1);
	log_warn("w");
	log_info("i");
	log_debug("d");
}

static void lines_of_the_level_and_above_reach_the_hosts_stderr(void **state)
{
	log_init(LOG_LEVEL_WARN, NULL, getpid());
	assert_string_equal(said(say_all), "spanprof: agent: e 1\nspanprof: agent: w\n");
	log_init(LOG_LEVEL_NONE, NULL, getpid());
	assert_string_equal(said(say_all), "");
	log_init(LOG_LEVEL_DEBUG, NULL, getpid());
	assert_string_equal(said(say_all), "spanprof: agent: e 1\nspanprof: agent: w\n"
					   "spanprof: agent: i\nspanprof: agent: d\n");
}

static void say_odd(void)
{
	char longer[2 * LOG_LINE_MAX];

	log_error("a\nspanprof: agent: forged\r\x1b[2J \xc3\xa9");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	log_error("%s", longer);
}

static void a_message_is_one_bounded_line_whatever_it_quotes(void **state)
{
	const char *end;

	log_init(LOG_LEVEL_WARN, NULL, getpid());
	said(say_odd);
	end = strchr(text, '\n');
	assert_non_null(end);
	assert_memory_equal(text, "spanprof: agent: a spanprof: agent: forged  [2J \xc3\xa9\n",
			    (size_t)(end - text) + 1);
	assert_int_equal(strlen(end + 1), LOG_LINE_MAX);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

static void fill(void)
{
	for (int i = 0; i < 3000; i++)
		log_error("%0100d", i);
}

static void a_full_pipe_loses_lines_and_does_not_block(void **state)
{
	log_init(LOG_LEVEL_WARN, NULL, getpid());
	said(fill);
	assert_true(strlen(text) > 1000);
}

static void hosts_without_a_usable_stderr_are_silent_and_errno_survives(void **state)
{
	int saved = dup(2), s[2];

	log_init(LOG_LEVEL_WARN, NULL, 0x3ffffff);
	errno = ENOSPC;
	log_error("nobody");
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	dup2(s[0], 2);
	log_init(LOG_LEVEL_WARN, NULL, getpid());
	log_error("a socket cannot be opened by path");
	dup2(saved, 2);
	assert_int_equal(errno, ENOSPC);
	close(s[0]);
	close(s[1]);
	close(saved);
}

static void a_file_of_its_own_is_appended_to(void **state)
{
	char path[] = "/tmp/spanprof-log-XXXXXX", got[200] = "";
	int fd = mkstemp(path);

	assert_int_equal(write(fd, "before\n", 7), 7);
	assert_int_equal(log_init(LOG_LEVEL_WARN, path, getpid()), 0);
	assert_string_equal(said(say_all), "");
	log_release();
	assert_true(pread(fd, got, sizeof(got) - 1, 0) > 0);
	assert_string_equal(got, "before\nspanprof: agent: e 1\nspanprof: agent: w\n");
	close(fd);
	unlink(path);
}

static void a_file_that_cannot_be_opened_leaves_the_hosts_stderr(void **state)
{
	char fifo[] = "/tmp/spanprof-log-XXXXXX";

	assert_int_equal(log_init(LOG_LEVEL_ERROR, "/nonexistent/log", getpid()), -ENOENT);
	assert_string_equal(said(say_all), "spanprof: agent: e 1\n");
	assert_non_null(mkdtemp(fifo));
	rmdir(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(log_init(LOG_LEVEL_ERROR, fifo, getpid()), -ENXIO);
	unlink(fifo);
}

static void levels_are_known_by_name(void **state)
{
	assert_int_equal(log_level_parse("none"), LOG_LEVEL_NONE);
	assert_int_equal(log_level_parse("WARN"), LOG_LEVEL_WARN);
	assert_int_equal(log_level_parse("debug"), LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("loud"), -EINVAL);
	assert_int_equal(log_level_parse(""), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_of_the_level_and_above_reach_the_hosts_stderr),
	    cmocka_unit_test(a_message_is_one_bounded_line_whatever_it_quotes),
	    cmocka_unit_test(a_full_pipe_loses_lines_and_does_not_block),
	    cmocka_unit_test(hosts_without_a_usable_stderr_are_silent_and_errno_survives),
	    cmocka_unit_test(a_file_of_its_own_is_appended_to),
	    cmocka_unit_test(a_file_that_cannot_be_opened_leaves_the_hosts_stderr),
	    cmocka_unit_test(levels_are_known_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
