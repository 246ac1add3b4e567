/* SPDX-License-Identifier: Apache-2.0 */
/* uring PORT - accepts, receives and sends by io_uring alone: no call that could be seen. */
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "serve.h"

struct connection {
	int fd;
	bool sending, close;
	size_t n;
	char text[HEAD_MAX];
};

static struct io_uring ring;

static void await_connection(int listener)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&ring);

	io_uring_prep_accept(entry, listener, NULL, NULL, 0);
	io_uring_sqe_set_data(entry, NULL);
}

static void receive(struct connection *connection)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&ring);

	connection->sending = false;
	io_uring_prep_recv(entry, connection->fd, connection->text + connection->n,
			   sizeof(connection->text) - 1 - connection->n, 0);
	io_uring_sqe_set_data(entry, connection);
}

static void handle(struct connection *connection, int result)
{
	struct io_uring_sqe *entry;
	struct request request;

	if (result <= 0 || (connection->sending && connection->close)) {
		close(connection->fd);
		free(connection);
		return;
	}
	if (connection->sending) {
		connection->n = 0;
		receive(connection);
		return;
	}
	connection->n += (size_t)result;
	connection->text[connection->n] = 0;
	if (!serve_parse(connection->text, &request)) {
		receive(connection);
		return;
	}
	burn(request.n, request.us);
	connection->sending = true;
	connection->close = request.close;
	entry = io_uring_get_sqe(&ring);
	io_uring_prep_send(entry, connection->fd, REPLY, REPLY_SIZE, 0);
	io_uring_sqe_set_data(entry, connection);
}

int main(int argc, char **argv)
{
	int listener = serve_listen(argv[1], false);

	if (io_uring_queue_init(1024, &ring, 0) != 0) {
		fputs("no io_uring\n", stderr);
		return 1;
	}
	await_connection(listener);
	for (;;) {
		struct io_uring_cqe *done;
		struct connection *connection;
		int result;

		io_uring_submit_and_wait(&ring, 1);
		while (io_uring_peek_cqe(&ring, &done) == 0) {
			connection = io_uring_cqe_get_data(done);
			result = done->res;
			io_uring_cqe_seen(&ring, done);
			if (connection) {
				handle(connection, result);
				continue;
			}
			connection = calloc(1, sizeof(*connection));
			connection->fd = result;
			receive(connection);
			await_connection(listener);
		}
	}
}
