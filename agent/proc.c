/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc.c - reads /proc about client processes. AGENT. Formats follow proc(5) and pidfd_open(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/proc.h"

#define PROC_TEXT_MAX 4096
#define PROC_STARTTIME_FIELD 20 /* fields after the command's closing parenthesis */

/* The file's beginning as a string; false if there is none. */
static bool slurp(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

pid_t proc_pid_of(int pidfd)
{
	char path[64], text[PROC_TEXT_MAX];
	const char *line;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (!slurp(path, text, sizeof(text)))
		return -1;
	line = strstr(text, "Pid:");
	return line ? (pid_t)atol(line + 4) : -1;
}

bool proc_started_before(pid_t pid, uint64_t boottime_ns)
{
	char path[64], text[PROC_TEXT_MAX];
	uint64_t ticks, tick_ns = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK);
	char *field;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (!slurp(path, text, sizeof(text)))
		return true;
	/* The command may hold anything; what follows its last parenthesis is numbers. */
	field = strrchr(text, ')');
	for (int i = 0; field && i < PROC_STARTTIME_FIELD; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return true;
	ticks = strtoull(field + 1, NULL, 10);
	return ticks * tick_ns <= boottime_ns + tick_ns;
}

int proc_open_maps(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

bool proc_maps_gone(int maps_fd)
{
	char byte;

	ssize_t n = pread(maps_fd, &byte, 1, 0);

	return n == 0 || (n < 0 && errno == ESRCH);
}
