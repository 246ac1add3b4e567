/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_calls.h - HTTP/2 connections that the process opened itself: each stream is a call, lent to the
 * request that it is made for, and names that again when frames of it come in. Context: APP; conn is
 * entered.
 */
#ifndef SPANPROF_SHIM_CONN_CALLS_H
#define SPANPROF_SHIM_CONN_CALLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct conn;
struct thread;

/* For how many more heads it is known that they are written later than they are made: heads of several
 * requests went out in one write. Of the process; relaxed, and a lost count does not matter. */
extern _Atomic uint32_t calls_deferred;

/* The process has begun to speak HTTP/2; preface bytes of it went out already. False: no room. */
bool calls_begin(struct conn *conn, size_t preface);
/* What .request asked for by HTTP/1 is answered in HTTP/2: it is stream 1. False: no room. */
bool calls_upgrade(struct conn *conn);
/* What came in first is how an HTTP/2 server begins. */
bool calls_greeted(const struct iovec *vector, size_t count, size_t n);
/* n bytes went out or came in, the first skip of them not as frames; vector: what they were, NULL where
 * that is not known. */
void calls_sent(struct thread *thread, struct conn *conn, const struct iovec *vector, size_t count,
		size_t n);
void calls_received(struct thread *thread, struct conn *conn, const struct iovec *vector,
		    size_t count, size_t n, size_t skip);

#endif
