/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - level check, a buffer on the stack, one write. BOOT and APP. Raw system calls where a libc
 * call would come back through our own wrappers.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
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

#define LOG_SIGNALS (1ULL << (SIGPIPE - 1) | 1ULL << (SIGXFSZ - 1))

/* A reader that is gone or RLIMIT_FSIZE would have the host killed for our line: take back what the
 * write sends to this thread, but not what was pending before. */
static void write_quietly(long fd, const char *line, size_t n)
{
	uint64_t set = LOG_SIGNALS, old = 0, before = 0;
	struct timespec at_once = {0};
	long error;

	raw4(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, sizeof(set));
	raw2(SYS_rt_sigpending, &before, sizeof(before));
	error = raw3(SYS_write, fd, line, n);
	set &= ~before;
	if (error == -EPIPE || error == -EFBIG)
		raw4(SYS_rt_sigtimedwait, &set, NULL, &at_once, sizeof(set));
	raw4(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
}

static void log_write(const char *line, size_t n)
{
	long fd = STDERR_FILENO;

	if (*log_path)
		fd = raw4(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
			  0644);
	if (fd < 0)
		return;
	write_quietly(fd, line, n);
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
	/* Whatever it quotes, a line is one line. */
	for (char *c = line; c < line + n; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	line[n++] = '\n';
	log_write(line, (size_t)n);
out:
	errno = saved;
}
