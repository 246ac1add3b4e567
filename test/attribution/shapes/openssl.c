/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openssl PORT CERTIFICATE KEY [WAY] - HTTP/1 over OpenSSL (1.1 or 3), a thread for each connection.
 *
 * WAY: what stands between the library and the socket, and what the program calls
 *	descriptor	the library reads and writes the socket itself (the default)
 *	memory		the program moves the ciphertext in and out of two memory BIOs
 *	pair		the same, by a BIO pair
 *	own		a BIO of the program's: its functions are called within SSL_read and SSL_write
 *	peek		as descriptor; every head is peeked at before it is read, by the _ex calls
 *	dlsym		as descriptor; the calls that move plaintext are those that dlsym gives
 */
#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

enum way { DESCRIPTOR, MEMORY, PAIR, OWN, PEEK, DLSYM, WAYS };
static const char *const ways[WAYS] = {"descriptor", "memory", "pair", "own", "peek", "dlsym"};

struct session {
	SSL *ssl;
	BIO *in, *out; /* where the program moves the ciphertext; NULL: it does not */
	int fd;
};

static SSL_CTX *context;
static BIO_METHOD *own;
static enum way way;
static int (*plain_read)(SSL *, void *, int) = SSL_read;
static int (*plain_write)(SSL *, const void *, int) = SSL_write;

/* What the library has to say goes out; and if it wants more, something comes in. */
static bool move(const struct session *session, int ret)
{
	int error = SSL_get_error(session->ssl, ret);
	char bytes[16384];
	int n;

	while (session->out && (n = BIO_read(session->out, bytes, sizeof(bytes))) > 0)
		if (send(session->fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
			return false;
	if (ret > 0)
		return true;
	if (!session->in || error != SSL_ERROR_WANT_READ)
		return false;
	n = (int)recv(session->fd, bytes, sizeof(bytes), 0);
	return n > 0 && BIO_write(session->in, bytes, n) == n;
}

static bool accepts(const struct session *session)
{
	int ret;

	do
		ret = SSL_accept(session->ssl);
	while (move(session, ret) && ret <= 0);
	return ret > 0;
}

static int take(SSL *ssl, char *bytes, size_t size)
{
	size_t n = 0;

	if (way != PEEK)
		return plain_read(ssl, bytes, (int)size);
	if (SSL_peek(ssl, bytes, 1) != 1 || SSL_peek_ex(ssl, bytes, size, &n) != 1 || !n ||
	    SSL_read_ex(ssl, bytes, n, &n) != 1)
		return -1;
	return (int)n;
}

static int give(SSL *ssl, const char *bytes, size_t size)
{
	size_t n;

	if (way != PEEK)
		return plain_write(ssl, bytes, (int)size);
	return SSL_write_ex(ssl, bytes, size, &n) == 1 ? (int)n : -1;
}

static bool read_head(const struct session *session, struct request *request)
{
	char text[HEAD_MAX];
	size_t n = 0;
	int got;

	do {
		got = take(session->ssl, text + n, sizeof(text) - 1 - n);
		if (!move(session, got))
			return false;
		n += got > 0 ? (size_t)got : 0;
		text[n] = 0;
	} while (!n || !serve_parse(text, request));
	return true;
}

static int own_read(BIO *bio, char *bytes, int size)
{
	return (int)recv((int)(long)BIO_get_data(bio), bytes, (size_t)size, 0);
}

static int own_write(BIO *bio, const char *bytes, int size)
{
	return (int)send((int)(long)BIO_get_data(bio), bytes, (size_t)size, MSG_NOSIGNAL);
}

static long own_control(BIO *bio, int command, long number, void *pointer)
{
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *make_own(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "own");

	BIO_meth_set_read(method, own_read);
	BIO_meth_set_write(method, own_write);
	BIO_meth_set_ctrl(method, own_control);
	return method;
}

static void join(struct session *session)
{
	BIO *inner;

	switch (way) {
	case MEMORY:
		session->in = BIO_new(BIO_s_mem());
		session->out = BIO_new(BIO_s_mem());
		SSL_set_bio(session->ssl, session->in, session->out);
		break;
	case PAIR:
		BIO_new_bio_pair(&inner, 0, &session->in, 0);
		session->out = session->in;
		SSL_set_bio(session->ssl, inner, inner);
		break;
	case OWN:
		inner = BIO_new(own);
		BIO_set_data(inner, (void *)(long)session->fd);
		BIO_set_init(inner, 1);
		SSL_set_bio(session->ssl, inner, inner);
		break;
	default:
		SSL_set_fd(session->ssl, session->fd);
	}
}

static void run(int fd)
{
	struct session session = {.ssl = SSL_new(context), .fd = fd};
	struct request request = {.close = false};

	join(&session);
	if (accepts(&session)) {
		while (!request.close && read_head(&session, &request)) {
			burn(request.n, request.us);
			move(&session, give(session.ssl, REPLY, REPLY_SIZE));
		}
		SSL_shutdown(session.ssl);
	}
	SSL_free(session.ssl);
	if (way == PAIR)
		BIO_free(session.in);
	ERR_clear_error();
	close(fd);
}

static void ask_dlsym(void)
{
	void *library = dlopen("libssl.so.3", RTLD_LAZY | RTLD_NOLOAD);

	*(void **)&plain_read = dlsym(library, "SSL_read");
	*(void **)&plain_write = dlsym(library, "SSL_write");
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	while (argc > 4 && way < WAYS && strcmp(argv[4], ways[way]))
		way++;
	if (way == WAYS)
		return 2;
	if (way == DLSYM)
		ask_dlsym();
	own = make_own();
	context = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate_file(context, argv[2], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, argv[3], SSL_FILETYPE_PEM) != 1) {
		fprintf(stderr, "openssl: no certificate\n");
		return 1;
	}
	fprintf(stderr, "%s\n", OpenSSL_version(OPENSSL_VERSION));
	serve_threads(serve_listen(argv[1], false), run);
	return 0;
}
