/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_tls.c - OpenSSL (1.1, 3) and GnuTLS: reads and writes of sessions, on the decrypted side. APP.
 * No header of theirs is included: sessions are opaque, and only what has been stable over all those
 * versions is used. A program without them never calls these.
 */
#include <stdint.h>

#include "shim/observe.h"
#include "shim/tls.h"
#include "shim/tls_real.h"

/* X(result, name, parameters) */
#define TLS_SYMBOLS(X)                                                                               \
	X(int, SSL_read, (void *, void *, int))                                                      \
	X(int, SSL_read_ex, (void *, void *, size_t, size_t *))                                      \
	X(int, SSL_read_early_data, (void *, void *, size_t, size_t *))                              \
	X(int, SSL_peek, (void *, void *, int))                                                      \
	X(int, SSL_peek_ex, (void *, void *, size_t, size_t *))                                      \
	X(int, SSL_write, (void *, const void *, int))                                               \
	X(int, SSL_write_ex, (void *, const void *, size_t, size_t *))                               \
	X(int, SSL_write_early_data, (void *, const void *, size_t, size_t *))                       \
	X(ssize_t, SSL_sendfile, (void *, int, off_t, size_t, int))                                  \
	X(void, SSL_free, (void *))                                                                  \
	X(ssize_t, gnutls_record_recv, (void *, void *, size_t))                                     \
	X(ssize_t, gnutls_record_recv_seq, (void *, void *, size_t, unsigned char *))                \
	X(ssize_t, gnutls_record_recv_early_data, (void *, void *, size_t))                          \
	X(ssize_t, gnutls_record_send, (void *, const void *, size_t))                               \
	X(ssize_t, gnutls_record_send2, (void *, const void *, size_t, size_t, unsigned))            \
	X(ssize_t, gnutls_record_send_early_data, (void *, const void *, size_t))                    \
	X(void, gnutls_deinit, (void *))

#define X(result, name, parameters)                                                                  \
	typedef result real_##name parameters;                                                       \
	result name parameters;
TLS_SYMBOLS(X)
#undef X
enum which {
#define X(result, name, parameters) WHICH_##name,
	TLS_SYMBOLS(X)
#undef X
	WHICH_COUNT
};
_Static_assert(WHICH_COUNT <= TLS_REAL_PYTHON, "the names have room");

/* Only in a wrapper itself: the caller is the place whose object decides. */
#define TLS_REAL(name)                                                                               \
	((real_##name *)tls_real(WHICH_##name, #name, __builtin_return_address(0),                   \
				 thread_self.tls.library))
#define TLS_ENTER() OBSERVE(tls_enter(thread, __builtin_frame_address(0), (void *)real))

EXPORT int SSL_read(void *session, void *bytes, int size)
{
	real_SSL_read *real = TLS_REAL(SSL_read);
	int got;

	TLS_ENTER();
	got = real ? real(session, bytes, size) : -1;
	OBSERVE(tls_received(thread, session, bytes, got));
	return got;
}

EXPORT int SSL_read_ex(void *session, void *bytes, size_t size, size_t *got)
{
	real_SSL_read_ex *real = TLS_REAL(SSL_read_ex);
	int done;

	TLS_ENTER();
	done = real ? real(session, bytes, size, got) : 0;
	OBSERVE(tls_received(thread, session, bytes, done == 1 ? (ssize_t)*got : 0));
	return done;
}

/* 1 is success, 2 the end of early data, which may come with some. */
EXPORT int SSL_read_early_data(void *session, void *bytes, size_t size, size_t *got)
{
	real_SSL_read_early_data *real = TLS_REAL(SSL_read_early_data);
	int done;

	TLS_ENTER();
	done = real ? real(session, bytes, size, got) : 0;
	OBSERVE(tls_received(thread, session, bytes, done > 0 ? (ssize_t)*got : 0));
	return done;
}

/* What is only peeked at will come again; but the calls inside are its own. */
EXPORT int SSL_peek(void *session, void *bytes, int size)
{
	real_SSL_peek *real = TLS_REAL(SSL_peek);
	int got;

	TLS_ENTER();
	got = real ? real(session, bytes, size) : -1;
	OBSERVE(tls_received(thread, session, bytes, 0));
	return got;
}

EXPORT int SSL_peek_ex(void *session, void *bytes, size_t size, size_t *got)
{
	real_SSL_peek_ex *real = TLS_REAL(SSL_peek_ex);
	int done;

	TLS_ENTER();
	done = real ? real(session, bytes, size, got) : 0;
	OBSERVE(tls_received(thread, session, bytes, 0));
	return done;
}

EXPORT int SSL_write(void *session, const void *bytes, int size)
{
	real_SSL_write *real = TLS_REAL(SSL_write);
	int put;

	TLS_ENTER();
	put = real ? real(session, bytes, size) : -1;
	OBSERVE(tls_sent(thread, session, bytes, put));
	return put;
}

EXPORT int SSL_write_ex(void *session, const void *bytes, size_t size, size_t *put)
{
	real_SSL_write_ex *real = TLS_REAL(SSL_write_ex);
	int done;

	TLS_ENTER();
	done = real ? real(session, bytes, size, put) : 0;
	OBSERVE(tls_sent(thread, session, bytes, done == 1 ? (ssize_t)*put : 0));
	return done;
}

EXPORT int SSL_write_early_data(void *session, const void *bytes, size_t size, size_t *put)
{
	real_SSL_write_early_data *real = TLS_REAL(SSL_write_early_data);
	int done;

	TLS_ENTER();
	done = real ? real(session, bytes, size, put) : 0;
	OBSERVE(tls_sent(thread, session, bytes, done == 1 ? (ssize_t)*put : 0));
	return done;
}

EXPORT ssize_t SSL_sendfile(void *session, int fd, off_t offset, size_t size, int flags)
{
	real_SSL_sendfile *real = TLS_REAL(SSL_sendfile);
	ssize_t put;

	TLS_ENTER();
	put = real ? real(session, fd, offset, size, flags) : -1;
	OBSERVE(tls_sent(thread, session, NULL, put));
	return put;
}

EXPORT void SSL_free(void *session)
{
	real_SSL_free *real = TLS_REAL(SSL_free);

	OBSERVE(tls_freed(session));
	if (real)
		real(session);
}

EXPORT ssize_t gnutls_record_recv(void *session, void *bytes, size_t size)
{
	real_gnutls_record_recv *real = TLS_REAL(gnutls_record_recv);
	ssize_t got;

	TLS_ENTER();
	got = real ? real(session, bytes, size) : -1;
	OBSERVE(tls_received(thread, session, bytes, got));
	return got;
}

EXPORT ssize_t gnutls_record_recv_seq(void *session, void *bytes, size_t size,
				      unsigned char *sequence)
{
	real_gnutls_record_recv_seq *real = TLS_REAL(gnutls_record_recv_seq);
	ssize_t got;

	TLS_ENTER();
	got = real ? real(session, bytes, size, sequence) : -1;
	OBSERVE(tls_received(thread, session, bytes, got));
	return got;
}

EXPORT ssize_t gnutls_record_recv_early_data(void *session, void *bytes, size_t size)
{
	real_gnutls_record_recv_early_data *real = TLS_REAL(gnutls_record_recv_early_data);
	ssize_t got;

	TLS_ENTER();
	got = real ? real(session, bytes, size) : -1;
	OBSERVE(tls_received(thread, session, bytes, got));
	return got;
}

EXPORT ssize_t gnutls_record_send(void *session, const void *bytes, size_t size)
{
	real_gnutls_record_send *real = TLS_REAL(gnutls_record_send);
	ssize_t put;

	TLS_ENTER();
	put = real ? real(session, bytes, size) : -1;
	OBSERVE(tls_sent(thread, session, bytes, put));
	return put;
}

EXPORT ssize_t gnutls_record_send2(void *session, const void *bytes, size_t size, size_t pad,
				   unsigned flags)
{
	real_gnutls_record_send2 *real = TLS_REAL(gnutls_record_send2);
	ssize_t put;

	TLS_ENTER();
	put = real ? real(session, bytes, size, pad, flags) : -1;
	OBSERVE(tls_sent(thread, session, bytes, put));
	return put;
}

EXPORT ssize_t gnutls_record_send_early_data(void *session, const void *bytes, size_t size)
{
	real_gnutls_record_send_early_data *real = TLS_REAL(gnutls_record_send_early_data);
	ssize_t put;

	TLS_ENTER();
	put = real ? real(session, bytes, size) : -1;
	OBSERVE(tls_sent(thread, session, bytes, put));
	return put;
}

EXPORT void gnutls_deinit(void *session)
{
	real_gnutls_deinit *real = TLS_REAL(gnutls_deinit);

	OBSERVE(tls_freed(session));
	if (real)
		real(session);
}
