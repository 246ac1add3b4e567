/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_answer.h - bytes to a client. Context: APP; conn is entered.
 */
#ifndef SPANPROF_SHIM_CONN_ANSWER_H
#define SPANPROF_SHIM_CONN_ANSWER_H

#include <stddef.h>
#include <sys/uio.h>

struct conn;
struct thread;

/* n > 0 bytes went to a client; vector: what they were, NULL where the call did not say. */
void conn_answer(struct thread *thread, struct conn *conn, const struct iovec *vector, size_t count,
		 size_t n);

#endif
