/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 and gRPC over it: the slots of a connection are streams that are open at the same time. Or
 * it begins as HTTP/1 and is upgraded by its first request; then it ends after a few, so that there
 * are many such. */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "slot.h"

#define UPGRADED_REQUESTS 16
#define SETTINGS_HEADER "AAMAAABk" /* one setting, by base64: 100 streams at most */

static const unsigned char settings[] = {0, 3, 0, 0, 0, 100};

struct stream {
	struct slot slot;
	struct ask ask;
	bool refused; /* not worked on: to be asked again */
	int status, grpc_status;
	size_t sent, size;
	unsigned char body[32];
};

struct connection {
	struct link link;
	nghttp2_session *session;
	unsigned open, submitted;
	bool grpc, more; /* more: its slots go on with another connection */
};

static void set(nghttp2_nv *field, const char *name, const char *value)
{
	*field = (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
			      NGHTTP2_NV_FLAG_NONE};
}

static ssize_t body(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
		    nghttp2_data_source *source, void *user)
{
	struct stream *stream = source->ptr;
	size_t n = stream->size - stream->sent;

	if (n > room)
		n = room;
	memcpy(to, stream->body + stream->sent, n);
	stream->sent += n;
	if (stream->sent == stream->size)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* A gRPC message: no compression, its length, its bytes. */
static void make_body(struct stream *stream)
{
	int n = snprintf((char *)stream->body + 5, sizeof(stream->body) - 5, "%u %u", stream->ask.n,
			 stream->ask.us);

	memset(stream->body, 0, 4);
	stream->body[4] = (unsigned char)n;
	stream->size = 5 + (size_t)n;
	stream->sent = 0;
}

static bool next_ask(struct stream *stream)
{
	bool has = stream->refused || slot_next(&stream->slot, &stream->ask);

	stream->refused = false;
	stream->status = stream->grpc_status = 0;
	return has;
}

static bool submit(struct connection *connection, struct stream *stream)
{
	bool last = load.upgrade && connection->submitted >= UPGRADED_REQUESTS * load.streams;
	nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = body};
	nghttp2_nv fields[8];
	const struct ask *ask = &stream->ask;
	char path[128];
	size_t n = 4;

	connection->more |= last;
	if (last || !next_ask(stream))
		return false;
	if (connection->grpc)
		snprintf(path, sizeof(path), "%s", load.path);
	else
		slot_target(ask, path, sizeof(path));
	set(&fields[0], ":method", connection->grpc ? "POST" : "GET");
	set(&fields[1], ":scheme", load.tls ? "https" : "http");
	set(&fields[2], ":authority", "localhost");
	set(&fields[3], ":path", path);
	if (connection->grpc) {
		set(&fields[n++], "content-type", "application/grpc");
		set(&fields[n++], "te", "trailers");
		make_body(stream);
	}
	if (ask->traceparent[0])
		set(&fields[n++], "traceparent", (char *)ask->traceparent);
	if (nghttp2_submit_request(connection->session, NULL, fields, n,
				   connection->grpc ? &provider : NULL, stream) < 0)
		return false;
	connection->open++;
	connection->submitted++;
	return true;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t n, const uint8_t *value, size_t size, uint8_t flags, void *user)
{
	struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	if (stream && n == 7 && !memcmp(name, ":status", 7))
		stream->status = atoi((const char *)value);
	if (stream && n == 11 && !memcmp(name, "grpc-status", 11))
		stream->grpc_status = atoi((const char *)value);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
	struct connection *connection = user;
	struct stream *stream = nghttp2_session_get_stream_user_data(session, id);

	connection->open--;
	if (!stream)
		return 0;
	if (error == NGHTTP2_REFUSED_STREAM) {
		stream->refused = connection->more = true;
		return 0;
	}
	if (stream->status == 200 && !stream->grpc_status && !error) {
		slot_answered();
	} else {
		char why[96];

		snprintf(why, sizeof(why), "stream: status %d, gRPC %d, error %u", stream->status,
			 stream->grpc_status, error);
		slot_failed(why);
	}
	submit(connection, stream);
	return 0;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t n, int flags,
		       void *user)
{
	struct connection *connection = user;

	return link_write(&connection->link, data, n) ? (ssize_t)n : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void start(struct connection *connection)
{
	nghttp2_session_callbacks *callbacks;

	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_client_new(&connection->session, callbacks, connection);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

/* The first request as HTTP/1's, the answer to which comes as stream 1's. */
static bool upgrade(struct connection *connection, struct stream *stream)
{
	const struct ask *ask = &stream->ask;
	char text[1024], target[128];
	size_t n = 0;

	if (!next_ask(stream))
		return true;
	slot_target(ask, target, sizeof(target));
	snprintf(text, sizeof(text),
		 "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
		 "Upgrade: h2c\r\nHTTP2-Settings: " SETTINGS_HEADER "\r\n%s%s%s\r\n",
		 target, ask->traceparent[0] ? "traceparent: " : "", ask->traceparent,
		 ask->traceparent[0] ? "\r\n" : "");
	if (!link_write(&connection->link, text, strlen(text)))
		return false;
	/* To the end of the head; what follows is frames. */
	do {
		if (n == sizeof(text) - 1 || link_read(&connection->link, text + n, 1) != 1)
			return false;
		text[++n] = 0;
	} while (n < 4 || strcmp(text + n - 4, "\r\n\r\n"));
	if (strncmp(text, "HTTP/1.1 101", 12) ||
	    nghttp2_session_upgrade2(connection->session, settings, sizeof(settings), 0, stream) <
		0)
		return false;
	connection->open++;
	connection->submitted++;
	return true;
}

/* Until all streams have ended and none follows; false if the connection broke. */
static bool converse(struct connection *connection)
{
	unsigned char data[16384];

	while (connection->open) {
		ssize_t n;

		if (nghttp2_session_send(connection->session) != 0)
			return false;
		if (!connection->open)
			break;
		n = link_read(&connection->link, data, sizeof(data));
		if (n <= 0 || nghttp2_session_mem_recv(connection->session, data, (size_t)n) < 0)
			return false;
	}
	return true;
}

/* A server may end a connection after so many requests; its slots go on with another. */
static void serve(unsigned first, unsigned count, bool grpc)
{
	struct stream *streams = calloc(count, sizeof(*streams));
	bool more = true, broken;

	for (unsigned i = 0; i < count; i++)
		streams[i].slot.index = first + i;
	while (more) {
		struct connection connection = {.grpc = grpc};

		if (!link_open(&connection.link, "h2")) {
			slot_failed("cannot connect");
			break;
		}
		start(&connection);
		broken = load.upgrade && !upgrade(&connection, &streams[0]);
		for (unsigned i = load.upgrade; i < count && !broken; i++)
			submit(&connection, &streams[i]);
		if (broken || (connection.open && !converse(&connection))) {
			slot_failed("the connection broke");
			connection.more = true;
		}
		more = connection.more;
		nghttp2_session_del(connection.session);
		link_close(&connection.link);
	}
	free(streams);
}

void http2_run(unsigned first, unsigned count)
{
	serve(first, count, false);
}

void grpc_run(unsigned first, unsigned count)
{
	serve(first, count, true);
}
