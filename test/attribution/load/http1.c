/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1, one request at a time on a connection that is kept alive unless the request or the
 * server ends it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "link.h"
#include "slot.h"

struct reader {
	struct link *link;
	size_t at, end;
	char buffer[16384];
};

static int next_byte(struct reader *reader)
{
	if (reader->at == reader->end) {
		ssize_t n = link_read(reader->link, reader->buffer, sizeof(reader->buffer));

		if (n <= 0)
			return -1;
		reader->at = 0;
		reader->end = (size_t)n;
	}
	return (unsigned char)reader->buffer[reader->at++];
}

/* Without its end; -1 at the end of the connection. */
static int next_line(struct reader *reader, char *line, int size)
{
	int length = 0, byte;

	while ((byte = next_byte(reader)) != '\n') {
		if (byte < 0)
			return -1;
		if (byte != '\r' && length < size - 1)
			line[length++] = (char)byte;
	}
	line[length] = 0;
	return length;
}

static bool skip(struct reader *reader, unsigned long n)
{
	while (n--)
		if (next_byte(reader) < 0)
			return false;
	return true;
}

static bool skip_chunks(struct reader *reader)
{
	char line[256];
	unsigned long n;

	do {
		if (next_line(reader, line, sizeof(line)) < 0)
			return false;
		n = strtoul(line, NULL, 16);
		if (!skip(reader, n) || next_line(reader, line, sizeof(line)) < 0)
			return false;
	} while (n);
	return true;
}

/* The status; 0 if the connection ended before it, -1 if it did within. *kept: another request may
 * follow. */
static int answer(struct reader *reader, bool *kept)
{
	char line[1024];
	unsigned long length = 0;
	bool chunked = false, framed = false;
	int status, got;

	if (next_line(reader, line, sizeof(line)) < 0)
		return 0;
	*kept = !strncmp(line, "HTTP/1.1", 8);
	status = atoi(line + 9);
	while ((got = next_line(reader, line, sizeof(line))) > 0) {
		if (!strncasecmp(line, "content-length:", 15)) {
			length = strtoul(line + 15, NULL, 10);
			framed = true;
		} else if (!strncasecmp(line, "transfer-encoding: chunked", 26)) {
			chunked = framed = true;
		} else if (!strncasecmp(line, "connection: close", 17)) {
			*kept = false;
		} else if (!strncasecmp(line, "connection: keep-alive", 22)) {
			*kept = true;
		}
	}
	if (got < 0)
		return -1;
	if (!framed) {
		*kept = false;
		while (next_byte(reader) >= 0)
			;
		return status;
	}
	return (chunked ? skip_chunks(reader) : skip(reader, length)) ? status : -1;
}

static size_t head(char *text, size_t size, const struct ask *ask)
{
	char target[128];
	int n;

	slot_target(ask, target, sizeof(target));
	n = snprintf(text, size, "GET %s HTTP/1.1\r\nHost: localhost\r\n", target);
	if (ask->traceparent[0])
		n += snprintf(text + n, size - (size_t)n, "traceparent: %s\r\n", ask->traceparent);
	if (ask->close)
		n += snprintf(text + n, size - (size_t)n, "Connection: close\r\n");
	n += snprintf(text + n, size - (size_t)n, "\r\n");
	return (size_t)n;
}

/* The status; 0 if a connection that had been kept turned out to be closed. */
static int exchange(struct reader *reader, const struct ask *ask, bool *kept)
{
	char text[1024];
	size_t n = head(text, sizeof(text), ask);

	if (reader->link->fd < 0) {
		if (!link_open(reader->link, NULL))
			return -1;
		reader->at = reader->end = 0;
	}
	return link_write(reader->link, text, n) ? answer(reader, kept) : 0;
}

void http1_run(unsigned first, unsigned count)
{
	struct link link = {.fd = -1};
	struct reader *reader = calloc(1, sizeof(*reader));
	struct slot slot = {.index = first};
	struct ask ask;

	reader->link = &link;
	while (count && slot_next(&slot, &ask)) {
		bool kept = false, fresh = link.fd < 0;
		int status = exchange(reader, &ask, &kept);

		if (status == 0 && !fresh) { /* closed by the server while it was idle */
			link_close(&link);
			status = exchange(reader, &ask, &kept);
		}
		if (status == 200) {
			slot_answered();
		} else {
			char why[64];

			snprintf(why, sizeof(why), "status %d", status);
			slot_failed(why);
			kept = false;
		}
		if (!kept || ask.close)
			link_close(&link);
	}
	link_close(&link);
	free(reader);
}
