/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - level check, a buffer on the stack, one write. BOOT and APP. Raw system calls where a libc
 * call would come back through our own wrappers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "shim/log.h"
#include "shim/raw.h"

#define LOG_LINE_MAX 512

static uint32_t log_level = FEED_LOG_WARN;
static const char *log_path = "";

void log_configure(uint32_t level, const char *path)
{
	log_level = level;
	log_path = path;
}

static void log_write(const char *line, size_t n)
{
	long fd = STDERR_FILENO;

	if (*log_path)
		fd = raw4(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
			  0644);
	if (fd < 0)
		return;
	raw3(SYS_write, fd, line, n);
	if (*log_path)
		raw1(SYS_close, fd);
}

void log_line(enum feed_log_level level, const char *format, ...)
{
	char line[LOG_LINE_MAX] = "spanprof: ";
	size_t prefix = sizeof("spanprof: ") - 1;
	int saved = errno, n;
	va_list arguments;

	if (level > log_level)
		return;
	va_start(arguments, format);
	n = vsnprintf(line + prefix, sizeof(line) - prefix - 1, format, arguments);
	va_end(arguments);
	if (n < 0)
		goto out;
	n += (int)prefix;
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	log_write(line, (size_t)n);
out:
	errno = saved;
}
