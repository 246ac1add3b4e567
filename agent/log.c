/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's log. Without a file of its own it writes to its host's stderr, which it must not
 * hold: `$(...)` and pipelines wait for the last writer, and the agent outlives its host. So every
 * line opens /proc/<host>/fd/2 anew and closes it, and is dropped where that cannot be done (the
 * host is gone, its stderr is a socket or belongs to somebody else). Context: AGENT.
 */
#include "agent/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define PREFIX "spanprof: agent: "

/* Non-blocking even for files: the path may name a FIFO or a terminal that is stopped. */
#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static const char *const level_names[] = {
    [LOG_LEVEL_NONE] = "none", [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug",
};

static struct {
	enum log_level level;
	int fd; /* of the file; -1: the host's stderr */
	pid_t host;
} sink = {.level = LOG_LEVEL_DEFAULT, .fd = -1};

int log_init(enum log_level level, const char *path, pid_t host)
{
	int err = 0;

	log_release();
	sink.level = level;
	sink.host = host;
	if (path) {
		sink.fd = open(path, OPEN_FLAGS | O_CREAT, 0644);
		if (sink.fd < 0)
			err = -errno;
	}
	return err;
}

void log_release(void)
{
	if (sink.fd >= 0)
		close(sink.fd);
	sink.fd = -1;
	sink.host = 0;
	sink.level = LOG_LEVEL_DEFAULT;
}

int log_level_parse(const char *name)
{
	for (unsigned i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (strcasecmp(name, level_names[i]) == 0)
			return (int)i;
	return -EINVAL;
}

/* A short or refused write (full pipe, full disk) loses the line: nothing could report it. */
static void put(const char *line, size_t len)
{
	char path[40];
	int fd = sink.fd;

	if (fd < 0) {
		if (sink.host <= 0)
			return;
		snprintf(path, sizeof(path), "/proc/%d/fd/2", (int)sink.host);
		fd = open(path, OPEN_FLAGS);
		if (fd < 0)
			return;
	}
	if (write(fd, line, len) < 0)
		errno = 0;
	if (fd != sink.fd)
		close(fd);
}

/* Messages quote servers, file names and labels: those must neither forge a second line nor steer a
 * terminal. */
static void make_printable(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = ' ';
}

__attribute__((format(printf, 2, 0))) static void vline(enum log_level level, const char *fmt,
							va_list ap)
{
	char line[LOG_LINE_MAX];
	size_t room = sizeof(line) - 1; /* for the newline, which replaces the terminator */
	size_t len = sizeof(PREFIX) - 1;
	int saved = errno;
	int n;

	if (level > sink.level)
		return;
	memcpy(line, PREFIX, len);
	n = vsnprintf(line + len, room - len + 1, fmt, ap);
	if (n > 0)
		len = (size_t)n < room - len ? len + (size_t)n : room;
	make_printable(line, len);
	line[len] = '\n';
	put(line, len + 1);
	errno = saved;
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vline(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vline(LOG_LEVEL_WARN, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vline(LOG_LEVEL_INFO, fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vline(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}
