/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_upstream.h - connections that the process opened itself, and pipes: each is lent to the request
 * that the thread is working on, and names it again when an answer comes in. Context: APP; conn is
 * entered.
 */
#ifndef SPANPROF_SHIM_CONN_UPSTREAM_H
#define SPANPROF_SHIM_CONN_UPSTREAM_H

#include <stddef.h>
#include <sys/uio.h>

struct conn;
struct thread;

/* n bytes came in; vector: what they were, NULL where that is not known. */
void upstream_received(struct thread *thread, struct conn *conn, const struct iovec *vector,
		       size_t count, size_t n);
/* Ciphertext came in whose plaintext goes through a TLS library's calls. */
void upstream_ciphertext(struct thread *thread, struct conn *conn);
/* Nothing came from fd, which need not be one of these: the end, or nothing yet. */
void upstream_tried(struct thread *thread, int fd);
/* n bytes went out; vector: what they were, NULL where that is not known. */
void upstream_sent(struct thread *thread, struct conn *conn, const struct iovec *vector,
		   size_t count, size_t n);

#endif
