/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's log: one line, one write, to a file of its own or to the host's stderr. Context:
 * AGENT, in any thread between log_init and log_release; never blocks, never fails its caller, keeps
 * errno.
 */
#ifndef SPANPROF_AGENT_LOG_H
#define SPANPROF_AGENT_LOG_H

#include <sys/types.h>

enum log_level {
	LOG_LEVEL_NONE,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

#define LOG_LEVEL_DEFAULT LOG_LEVEL_WARN
#define LOG_LINE_MAX 1024 /* a longer line is cut */

/*
 * Lines go to the file at path, or with path NULL to the stderr of process host. May be called
 * again. Returns -errno when the file cannot be opened; lines then go to host's stderr.
 */
int log_init(enum log_level level, const char *path, pid_t host);
void log_release(void);

/* "none", "error", "warn", "info", "debug" in any case; -EINVAL for everything else. */
int log_level_parse(const char *name);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
