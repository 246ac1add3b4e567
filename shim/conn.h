/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.h - from calls on descriptors to events of attribution: which descriptors are connections that
 * a client opened to this process, what is being asked on each, and whose request is live there.
 *
 * The table is private memory that fork copies. An entry is entered by try-lock: two threads in one
 * connection at once is a use we cannot follow, so the connection is given up and counted. A stale
 * entry can lose a request but never lend it to a stranger: every call that makes or ends a descriptor
 * resets its entry.
 *
 * Memory: CONN_BYTES_EACH for each descriptor number in use, rounded up to pages. Context: APP.
 */
#ifndef SPANPROF_SHIM_CONN_H
#define SPANPROF_SHIM_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct thread;

#define CONN_FD_MAX (1 << 20) /* descriptors above are not seen, and counted */
#define CONN_BYTES_EACH 384

/* A client's connection was accepted as fd. */
void conn_accepted(struct thread *thread, int fd);
/* fd was made some other way (socket, dup, passed): nothing is known of it. */
void conn_made(int fd);
/* n > 0 bytes came from fd. */
void conn_received(struct thread *thread, int fd, const void *bytes, ssize_t n);
void conn_received_vector(struct thread *thread, int fd, const struct iovec *vector, size_t count,
			  ssize_t n);
/* n > 0 bytes went to fd. */
void conn_sent(struct thread *thread, int fd, ssize_t n);
/* fd, or all of [first, last], is about to be closed. */
void conn_closing(int fd);
void conn_closing_range(unsigned first, unsigned last);

#endif
