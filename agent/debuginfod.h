/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debuginfod.h - debug files of objects that have none here, from the servers in DEBUGINFOD_URLS, if
 * SPANPROF_DEBUGINFOD allows it. Context: AGENT. debuginfod_find is the encoder's, the others are the
 * loop's. Nothing waits for a server: a process of its own fetches one file at a time, and what has
 * arrived counts from then on.
 */
#ifndef SPANPROF_AGENT_DEBUGINFOD_H
#define SPANPROF_AGENT_DEBUGINFOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEBUGINFOD_OBJECTS_MAX 1024 /* asked for in the life of the agent; others go without */
#define DEBUGINFOD_FETCH_MS 60000   /* one fetch, then its process is killed */
#define DEBUGINFOD_BUSY_MS 600000   /* all fetches of one window; what is left waits for the next */
#define DEBUGINFOD_WINDOW_MS 3600000
#define DEBUGINFOD_PAUSE_MS 600000   /* after a fetch that failed: nothing is asked */
#define DEBUGINFOD_ABSENT_MS 3600000 /* a file that no server has is not asked for again */

/* Before the encoder starts. Says so if it was asked for and cannot be. */
void debuginfod_configure(bool wanted);

/*
 * The path of the debug file of a build-id (hexadecimal): true, or false, and it will be asked for.
 * A caller asks again when debuginfod_arrivals has changed.
 */
bool debuginfod_find(const char *build_id, char *path, size_t size);
/* How many files have arrived. */
unsigned debuginfod_arrivals(void);

/* Takes what has arrived, ends what took too long, asks for the next. Never blocks. */
void debuginfod_poll(uint64_t now_ns);
/* Ends a fetch that is under way and forgets all. */
void debuginfod_release(void);

#endif
