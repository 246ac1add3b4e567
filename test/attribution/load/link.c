/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "link.h"
#include "slot.h"

#define SILENCE_S 20

static SSL_CTX *context;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Of the thread's first connection, which the next ones resume; and whether there was one. */
static _Thread_local SSL_SESSION *resumable;
static _Thread_local bool connected;

static void make_context(void)
{
	context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
}

static bool secure(struct link *link, const char *alpn)
{
	unsigned char list[16];

	pthread_once(&once, make_context);
	link->ssl = SSL_new(context);
	if (alpn) {
		list[0] = (unsigned char)strlen(alpn);
		memcpy(list + 1, alpn, list[0]);
		SSL_set_alpn_protos(link->ssl, list, list[0] + 1u);
	}
	SSL_set_fd(link->ssl, link->fd);
	link->early = load.early && resumable && SSL_SESSION_get_max_early_data(resumable) &&
		      SSL_set_session(link->ssl, resumable) == 1;
	if (load.early && connected && !link->early)
		slot_failed("no session with early data to resume");
	connected = true;
	return link->early || SSL_connect(link->ssl) == 1;
}

/* With the first flight; again after the handshake if the server did not take it. */
static bool write_early(struct link *link, const void *data, size_t n)
{
	size_t done;

	link->early = false;
	if (SSL_write_early_data(link->ssl, data, n, &done) != 1 || done != n ||
	    SSL_connect(link->ssl) != 1)
		return false;
	if (SSL_get_early_data_status(link->ssl) == SSL_EARLY_DATA_ACCEPTED)
		return true;
	slot_failed("early data was refused");
	return SSL_write(link->ssl, data, (int)n) == (int)n;
}

bool link_open(struct link *link, const char *alpn)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load.port)};
	struct timeval silence = {.tv_sec = SILENCE_S};
	int on = 1;

	link->ssl = NULL;
	link->early = false;
	inet_pton(AF_INET, load.host, &to.sin_addr);
	link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
	setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(link->fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
	    (!load.tls || secure(link, alpn)))
		return true;
	link_close(link);
	return false;
}

void link_close(struct link *link)
{
	if (link->ssl) {
		/* The library's own way, a callback, would have a session used but once. */
		if (load.early && !resumable)
			resumable = SSL_get1_session(link->ssl);
		/* A session that ends otherwise is not resumed. */
		SSL_set_shutdown(link->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(link->ssl);
	}
	if (link->fd >= 0)
		close(link->fd);
	link->ssl = NULL;
	link->fd = -1;
}

bool link_write(struct link *link, const void *data, size_t n)
{
	const char *at = data;

	if (link->early)
		return write_early(link, data, n);
	while (n) {
		ssize_t done = link->ssl ? SSL_write(link->ssl, at, (int)n)
					 : send(link->fd, at, n, MSG_NOSIGNAL);

		if (done <= 0)
			return false;
		at += done;
		n -= (size_t)done;
	}
	return true;
}

ssize_t link_read(struct link *link, void *data, size_t n)
{
	return link->ssl ? SSL_read(link->ssl, data, (int)n) : recv(link->fd, data, n, 0);
}
