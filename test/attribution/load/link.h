/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTRIBUTION_LINK_H
#define ATTRIBUTION_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ssl_st;

/* A blocking connection to the server, plain or TLS. */
struct link {
	int fd;
	struct ssl_st *ssl;
	bool early; /* the handshake waits for what is written first */
};

/* alpn: "h2" or NULL. */
bool link_open(struct link *link, const char *alpn);
void link_close(struct link *link);
bool link_write(struct link *link, const void *data, size_t n);
ssize_t link_read(struct link *link, void *data, size_t n); /* <= 0: gone, or silent for too long */

#endif
