/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2 PORT [upgrade] - HTTP/2 without TLS by libnghttp2, a thread for each connection: each stream's
 * work is done as its head is complete, and its answer is written after those of the read have all
 * been worked on. upgrade: a connection begins as HTTP/1, and its first request is stream 1.
 */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"

static bool upgrades;

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id,
					     calloc(1, sizeof(struct request)));
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t n, const uint8_t *value, size_t size, uint8_t flags, void *user)
{
	struct request *request =
	    nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	const char *query;

	if (request && n == 5 && !memcmp(name, ":path", 5) &&
	    (query = strchr((const char *)value, '?')))
		sscanf(query, "?n=%u&us=%u", &request->n, &request->us);
	return 0;
}

static ssize_t body(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
		    nghttp2_data_source *source, void *user)
{
	memcpy(to, "done\n", 5);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return 5;
}

static int answer(nghttp2_session *session, int32_t id)
{
	static const nghttp2_nv head[] = {{(uint8_t *)":status", (uint8_t *)"200", 7, 3, 0}};
	struct request *request = nghttp2_session_get_stream_user_data(session, id);
	nghttp2_data_provider provider = {.read_callback = body};

	if (request)
		burn(request->n, request->us);
	return nghttp2_submit_response(session, id, head, 1, &provider);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	return answer(session, frame->hd.stream_id);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
	free(nghttp2_session_get_stream_user_data(session, id));
	return 0;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t n, int flags,
		       void *user)
{
	ssize_t done = send(*(int *)user, data, n, MSG_NOSIGNAL);

	return done > 0 ? done : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static bool upgrade(nghttp2_session *session, int fd)
{
	struct request *request = calloc(1, sizeof(*request));

	if (serve_read(fd, request) && send(fd, SWITCHING, strlen(SWITCHING), MSG_NOSIGNAL) > 0 &&
	    nghttp2_session_upgrade2(session, NULL, 0, 0, request) == 0)
		return answer(session, 1) == 0;
	free(request);
	return false;
}

static void serve(int fd)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;
	uint8_t data[16384];
	ssize_t n;
	bool good;

	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_server_new(&session, callbacks, &fd);
	nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0);
	good = !upgrades || upgrade(session, fd);
	while (good && nghttp2_session_send(session) == 0 &&
	       (n = recv(fd, data, sizeof(data), 0)) > 0 &&
	       nghttp2_session_mem_recv(session, data, (size_t)n) >= 0)
		;
	nghttp2_session_del(session);
	nghttp2_session_callbacks_del(callbacks);
	close(fd);
}

int main(int argc, char **argv)
{
	upgrades = argc > 2;
	serve_threads(serve_listen(argv[1], false), serve);
}
