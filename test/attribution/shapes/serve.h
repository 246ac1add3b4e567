/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTRIBUTION_SERVE_H
#define ATTRIBUTION_SERVE_H
/* The little HTTP that each shape serves: GET requests without body, answered by five bytes. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../burn/burn.h"

struct request {
	unsigned n, us;
	bool close;
};

#define REPLY "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndone\n"
#define REPLY_SIZE (sizeof(REPLY) - 1)
#define HEAD_MAX 2048

/* Listening on 127.0.0.1; ends the process if it cannot. */
int serve_listen(const char *port, bool nonblocking);

/* Whether text, which ends in a 0, is a whole head; fills *request if so. */
bool serve_parse(const char *text, struct request *request);

/* Blocking: a head by recv; false at the end of the connection. */
bool serve_read(int fd, struct request *request);
void serve_reply(int fd);

/* Accepts for ever; each connection's thread runs run(fd), which closes. */
void serve_threads(int listener, void (*run)(int fd));

#endif
