/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - files for the launcher, each written whole or not at all. AGENT.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/report.h"

#define REPORT_PATH_MAX 1024

static void write_whole(const char *path, const char *line)
{
	char temporary[REPORT_PATH_MAX + 16];
	FILE *f;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	f = fopen(temporary, "we");
	if (!f) {
		log_debug("the launcher's %s cannot be written", path);
		return;
	}
	fputs(line, f);
	if (fclose(f) != 0 || rename(temporary, path) != 0)
		unlink(temporary);
}

void report_start(const char *path)
{
	char name[REPORT_PATH_MAX], line[32];

	if (!path || !*path || strlen(path) + sizeof(".agent") > sizeof(name))
		return;
	snprintf(name, sizeof(name), "%s.agent", path);
	snprintf(line, sizeof(line), "%d\n", (int)getpid());
	write_whole(name, line);
}

void report_done(const char *path, const struct collect_totals *totals,
		 const struct deliver_totals *delivered)
{
	char line[256];

	if (!path || !*path || strlen(path) >= REPORT_PATH_MAX)
		return;
	snprintf(line, sizeof(line), "samples=%llu cpu_ns=%llu spans=%llu folded=%llu files=%llu pushed=%llu failed=%llu\n",
		 (unsigned long long)totals->samples, (unsigned long long)totals->nanoseconds,
		 (unsigned long long)totals->spans,
		 (unsigned long long)totals->folded.spans, (unsigned long long)delivered->files,
		 (unsigned long long)delivered->pushed, (unsigned long long)delivered->failed);
	write_whole(path, line);
}
