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
	return SSL_connect(link->ssl) == 1;
}

bool link_open(struct link *link, const char *alpn)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load.port)};
	struct timeval silence = {.tv_sec = SILENCE_S};
	int on = 1;

	link->ssl = NULL;
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
	if (link->ssl)
		SSL_free(link->ssl);
	if (link->fd >= 0)
		close(link->fd);
	link->ssl = NULL;
	link->fd = -1;
}

bool link_write(struct link *link, const void *data, size_t n)
{
	const char *at = data;

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
