/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openssl PORT CERTIFICATE KEY [memory] - HTTP/1 over OpenSSL (1.1 or 3), a thread for each
 * connection. memory: the library sees no descriptor; the program moves the ciphertext.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

struct session {
	SSL *ssl;
	BIO *in, *out; /* NULL: the library reads and writes fd */
	int fd;
};

static SSL_CTX *context;
static bool in_memory;

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

static bool read_head(const struct session *session, struct request *request)
{
	char text[HEAD_MAX];
	size_t n = 0;
	int got;

	do {
		got = SSL_read(session->ssl, text + n, (int)(sizeof(text) - 1 - n));
		if (!move(session, got))
			return false;
		n += got > 0 ? (size_t)got : 0;
		text[n] = 0;
	} while (!n || !serve_parse(text, request));
	return true;
}

static void run(int fd)
{
	struct session session = {.ssl = SSL_new(context), .fd = fd};
	struct request request = {.close = false};

	if (in_memory) {
		session.in = BIO_new(BIO_s_mem());
		session.out = BIO_new(BIO_s_mem());
		SSL_set_bio(session.ssl, session.in, session.out);
	} else {
		SSL_set_fd(session.ssl, fd);
	}
	if (accepts(&session)) {
		while (!request.close && read_head(&session, &request)) {
			burn(request.n, request.us);
			move(&session, SSL_write(session.ssl, REPLY, REPLY_SIZE));
		}
		SSL_shutdown(session.ssl);
	}
	SSL_free(session.ssl);
	ERR_clear_error();
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	in_memory = argc > 4;
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
