/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - the host side's log: a line at a time, to SPANPROF_LOG_FILE or standard error, opened anew
 * for each line so that a host may close whatever it likes. Context: BOOT and APP, never HANDLER.
 */
#ifndef SPANPROF_SHIM_LOG_H
#define SPANPROF_SHIM_LOG_H

#include <stdint.h>

#include "shim/feed.h"

/* level: enum feed_log_level; path: empty for standard error; must stay valid. */
void log_configure(uint32_t level, const char *path);
/* "spanprof: " and a newline are added; cut at 512 bytes. Keeps errno. */
void log_line(enum feed_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
