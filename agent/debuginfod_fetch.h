/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debuginfod_fetch.h - the process that fetches one debug file. Context: AGENT; spawn, read and end
 * are the loop's and never block, debuginfod_fetch is the process's whole life.
 */
#ifndef SPANPROF_AGENT_DEBUGINFOD_FETCH_H
#define SPANPROF_AGENT_DEBUGINFOD_FETCH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define DEBUGINFOD_FETCH "--fetch-debug-file" /* the agent's first argument, then a build-id */
#define DEBUGINFOD_FILE_BYTES (1ULL << 30)    /* of one file, as it lies in the cache */
#define DEBUGINFOD_NICE 15

struct debuginfod_child {
	pid_t pid; /* 0: none */
	int out;
};

/* 0 or -errno. */
int debuginfod_spawn(struct debuginfod_child *child, const char *build_id);
/*
 * -EAGAIN while it is at work; then it is gone: 0 and the file's path, -ENOENT if no server has it,
 * another -errno for any trouble.
 */
int debuginfod_reap(struct debuginfod_child *child, char path[PATH_MAX]);
void debuginfod_kill(struct debuginfod_child *child);

/* Fetches into the cache directory of libdebuginfod, prints the path. Returns an exit status. */
int debuginfod_fetch(const char *build_id);

#endif
