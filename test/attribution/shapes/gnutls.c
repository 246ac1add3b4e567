/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gnutls PORT CERTIFICATE KEY - HTTP/1 over GnuTLS, a thread for each connection.
 */
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "serve.h"

static gnutls_certificate_credentials_t credentials;

static bool read_head(gnutls_session_t session, struct request *request)
{
	char text[HEAD_MAX];
	size_t n = 0;

	do {
		ssize_t got = gnutls_record_recv(session, text + n, sizeof(text) - 1 - n);

		if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED)
			continue;
		if (got <= 0)
			return false;
		n += (size_t)got;
		text[n] = 0;
	} while (!n || !serve_parse(text, request));
	return true;
}

static void run(int fd)
{
	struct request request = {.close = false};
	gnutls_session_t session;
	int done;

	gnutls_init(&session, GNUTLS_SERVER);
	gnutls_set_default_priority(session);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(session, fd);
	do
		done = gnutls_handshake(session);
	while (done < 0 && !gnutls_error_is_fatal(done));
	while (done == 0 && !request.close && read_head(session, &request)) {
		burn(request.n, request.us);
		gnutls_record_send(session, REPLY, REPLY_SIZE);
	}
	gnutls_bye(session, GNUTLS_SHUT_WR);
	gnutls_deinit(session);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	gnutls_global_init();
	gnutls_certificate_allocate_credentials(&credentials);
	if (gnutls_certificate_set_x509_key_file(credentials, argv[2], argv[3], GNUTLS_X509_FMT_PEM) < 0) {
		fprintf(stderr, "gnutls: no certificate\n");
		return 1;
	}
	serve_threads(serve_listen(argv[1], false), run);
	return 0;
}
