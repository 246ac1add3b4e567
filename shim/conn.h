/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.h - from calls on descriptors to events of attribution: which descriptors are connections that
 * a client opened to this process, what is being asked on each, whose request is live there, and on
 * whose behalf the process talks to others. Context: APP.
 */
#ifndef SPANPROF_SHIM_CONN_H
#define SPANPROF_SHIM_CONN_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct thread;

/* A client's connection was accepted as fd. */
void conn_accepted(struct thread *thread, int fd);
/* The thread is about to close fd. */
void conn_close(struct thread *thread, int fd);
/* fd was made some other way (dup): nothing is known of it. */
void conn_made(int fd);
/* fd was passed to us: a client's connection, if it is a stream and a request comes in on it. */
void conn_passed(int fd);
/* fd is a new socket, or one that begins to connect. */
void conn_socket(struct thread *thread, int fd);
void conn_connecting(struct thread *thread, int fd);
/* fd is an end of a new pipe, eventfd or socketpair. */
void conn_pipe(struct thread *thread, int fd);
/* n > 0 bytes came from fd. */
void conn_received(struct thread *thread, int fd, const void *bytes, ssize_t n);
void conn_received_vector(struct thread *thread, int fd, const struct iovec *vector, size_t count,
			  ssize_t n);
/* n > 0 bytes went to fd. The vector: what they were, NULL where the call did not say. */
void conn_sent(struct thread *thread, int fd, const void *bytes, ssize_t n);
void conn_sent_vector(struct thread *thread, int fd, const struct iovec *vector, size_t count,
		      ssize_t n);
/* n > 0 bytes of plaintext, at a TLS library whose ciphertext goes through fd. */
void conn_received_plain(struct thread *thread, int fd, const void *bytes, ssize_t n);
void conn_sent_plain(struct thread *thread, int fd, const void *bytes, ssize_t n);
/* n > 0 bytes left fd without being seen (splice). */
void conn_drained(struct thread *thread, int fd, ssize_t n);
/* All of the descriptors serve the request that the thread works on: waiting for them is its work. */
bool conn_all_own(const struct thread *thread, const struct pollfd *fds, nfds_t n);

#endif
