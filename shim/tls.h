/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.h - sessions of TLS libraries, on the decrypted side: which descriptor's connection a session's
 * plaintext belongs to. The calls that the library makes for its ciphertext while it is inside a read
 * or write of a session name it; a library that is fed from memory is known by the last ciphertext
 * that its thread read. Context: APP, inside OBSERVE but for tls_inside.
 */
#ifndef SPANPROF_SHIM_TLS_H
#define SPANPROF_SHIM_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct thread;

/* The thread enters a read or write of a session, real; frame is its wrapper's frame address. */
void tls_enter(struct thread *thread, void *frame, void *real);
/* It came back: n > 0 bytes of plaintext were read from or written to session, else nothing. */
void tls_received(struct thread *thread, const void *session, const void *bytes, ssize_t n);
void tls_sent(struct thread *thread, const void *session, const void *bytes, ssize_t n);
/* The session is about to be freed. */
void tls_freed(const void *session);
/* A call on fd's ciphertext: true when a session's read or write makes it, so it means nothing else. */
bool tls_inside(struct thread *thread, int fd);

#endif
