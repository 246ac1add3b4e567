/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live.h - the requests of this process that are not finished: which thread read each one's head, how
 * many such a thread has, and which of them carries a given trace id. Bounded: a request that LIVE_MAX
 * later ones outlived is taken for finished, which can lose it but never lend it to a stranger.
 * Context: APP, any thread; no lock.
 */
#ifndef SPANPROF_SHIM_LIVE_H
#define SPANPROF_SHIM_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/feed.h"

#define LIVE_MAX 4096

/* A number for a new request, never 0. */
uint32_t live_number(void);
/* The latest one given out. */
uint32_t live_newest(void);
/* Whether any request was ever seen. */
bool live_any(void);
/* The head of a request with a number was read by the thread tid, in its turn of that number. */
void live_begin(const struct feed_context *request, int32_t tid, uint32_t turn);
/* In a fork child, of one thread: all but request, which may be 0, are the parent's alone; that one's reader is
 * tid from now on. */
void live_forked(uint32_t request, int32_t tid);
/* Its reader was told by a read that this is its turn, in the turn of that number; and whether so. */
void live_name(uint32_t request, uint32_t turn);
bool live_named(int32_t tid, uint32_t request, uint32_t turn);
/* What came with its head had a task go on; and whether so. */
void live_wake(uint32_t request);
bool live_woke(uint32_t request);
/* In which turn; false: it is finished, or another thread read it. */
bool live_turn(int32_t tid, uint32_t request, uint32_t *turn);
/* It was answered, or its connection is gone. Again, or for 0: nothing. */
void live_end(uint32_t request);
bool live_has(uint32_t request);
/* Unfinished requests whose heads tid read; may be too many by those of other threads, never too few. */
unsigned live_count(int32_t tid);
/* Unfinished requests of the process. */
unsigned live_total(void);
/* One of those was read by another thread than tid. */
bool live_elsewhere(int32_t tid);
/* The latest number given out, if no more than one request is unfinished; else 0. As long as that is also
 * the latest, no other request has come either. */
uint32_t live_alone(void);
/* As live_count, but for request. */
unsigned live_others(int32_t tid, uint32_t request);
/* The only unfinished request that tid read. False: none, several, or not known. */
bool live_sole(int32_t tid, struct feed_context *request);
/* The only unfinished request of the trace. */
bool live_of_trace(const uint8_t trace_id[16], struct feed_context *request);

#endif
