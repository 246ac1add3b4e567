/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL's protocol, version 3: the context stands in a comment of the statement
 * (sqlcommenter). */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "slot.h"

struct out {
	size_t n;
	char bytes[1024];
};

static void put(struct out *out, const void *data, size_t n)
{
	memcpy(out->bytes + out->n, data, n);
	out->n += n;
}

static void put_text(struct out *out, const char *text)
{
	put(out, text, strlen(text) + 1);
}

/* type 0: the start packet, which has none. */
static void message(struct out *out, char type, const struct out *body)
{
	uint32_t size = htonl((uint32_t)body->n + 4);

	if (type)
		put(out, &type, 1);
	put(out, &size, 4);
	put(out, body->bytes, body->n);
}

static bool read_all(struct link *link, void *data, size_t n)
{
	char *at = data;

	while (n) {
		ssize_t got = link_read(link, at, n);

		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

/* Up to ReadyForQuery; false if the connection broke or an error came. */
static bool ready(struct link *link)
{
	unsigned char head[5];
	char text[4096];
	bool good = true;

	do {
		uint32_t size;

		if (!read_all(link, head, 5))
			return false;
		memcpy(&size, head + 1, 4);
		size = ntohl(size) - 4;
		if (size > sizeof(text) || !read_all(link, text, size))
			return false;
		if (head[0] == 'E')
			good = false;
	} while (head[0] != 'Z');
	return good;
}

static bool enter(struct link *link)
{
	struct out body = {0}, out = {0};
	uint32_t version = htonl(3 << 16);

	if (!link_open(link, NULL))
		return false;
	put(&body, &version, 4);
	put_text(&body, "user");
	put_text(&body, load.user);
	put_text(&body, "database");
	put_text(&body, "postgres");
	put(&body, "", 1);
	message(&out, 0, &body);
	return link_write(link, out.bytes, out.n) && ready(link);
}

static void statement(char *text, size_t size, const struct ask *ask)
{
	int n = snprintf(text, size, "SELECT %s(%u, %u)",
			 load.path[0] == '/' ? load.path + 1 : load.path, ask->n, ask->us);

	if (ask->traceparent[0])
		snprintf(text + n, size - (size_t)n, " /*traceparent='%s'*/", ask->traceparent);
}

static void simple(struct out *out, const char *text)
{
	struct out body = {0};

	put_text(&body, text);
	message(out, 'Q', &body);
}

/* Parse, Bind, Describe, Execute and Sync of the unnamed statement, in one write. */
static void extended(struct out *out, const char *text)
{
	struct out parse = {0}, bind = {0}, describe = {0}, execute = {0}, sync = {0};

	put_text(&parse, "");
	put_text(&parse, text);
	put(&parse, "\0", 2);
	message(out, 'P', &parse);
	put(&bind, "\0\0\0\0\0\0\0", 8);
	message(out, 'B', &bind);
	put(&describe, "P", 2);
	message(out, 'D', &describe);
	put(&execute, "\0\0\0\0", 5);
	message(out, 'E', &execute);
	message(out, 'S', &sync);
}

#define STATEMENT "Smade" /* as Close has it */

/* One statement of this name on each connection. */
static void prepare(struct out *out, const char *comment)
{
	struct out close = {0}, parse = {0}, sync = {0};
	char text[256];

	snprintf(text, sizeof(text), "SELECT %s($1, $2)%s", load.path, comment);
	put_text(&close, STATEMENT);
	message(out, 'C', &close);
	put_text(&parse, STATEMENT + 1);
	put_text(&parse, text);
	put(&parse, "\0", 2);
	message(out, 'P', &parse);
	message(out, 'S', &sync);
}

static void put_number(struct out *out, unsigned number)
{
	char text[16];
	uint32_t n = (uint32_t)snprintf(text, sizeof(text), "%u", number), size = htonl(n);

	put(out, &size, 4);
	put(out, text, n);
}

static void execute(struct out *out, const struct ask *ask)
{
	struct out bind = {0}, run = {0}, sync = {0};

	put_text(&bind, "");
	put_text(&bind, STATEMENT + 1);
	put(&bind, "\0\0\0\2", 4); /* as text; two parameters */
	put_number(&bind, ask->n);
	put_number(&bind, ask->us);
	put(&bind, "\0\0", 2);
	message(out, 'B', &bind);
	put(&run, "\0\0\0\0", 5);
	message(out, 'E', &run);
	message(out, 'S', &sync);
}

void postgres_prepared_run(unsigned first, unsigned count)
{
	struct slot slot = {.index = first};
	struct link link = {.fd = -1};
	struct ask ask;
	char comment[128];

	while (slot_next(&slot, &ask)) {
		struct out making = {0}, out = {0};
		bool is_new = link.fd < 0, good = !is_new || enter(&link);

		snprintf(comment, sizeof(comment),
			 ask.traceparent[0] ? " /*traceparent='%s'*/" : "%s", ask.traceparent);
		prepare(&making, comment);
		if (good && (is_new || !load.kept))
			good = link_write(&link, making.bytes, making.n) && ready(&link);
		execute(&out, &ask);
		good = good && link_write(&link, out.bytes, out.n) && ready(&link);
		if (good)
			slot_answered();
		else
			slot_failed("the server did not answer");
		if (!good || ask.close)
			link_close(&link);
	}
	link_close(&link);
}

static void serve(unsigned first, void (*ask_for)(struct out *, const char *))
{
	struct slot slot = {.index = first};
	struct link link = {.fd = -1};
	struct ask ask;
	char text[256];

	while (slot_next(&slot, &ask)) {
		struct out out = {0};
		bool good = link.fd >= 0 || enter(&link);

		statement(text, sizeof(text), &ask);
		ask_for(&out, text);
		good = good && link_write(&link, out.bytes, out.n) && ready(&link);
		if (good)
			slot_answered();
		else
			slot_failed("the server did not answer");
		if (!good || ask.close)
			link_close(&link);
	}
	link_close(&link);
}

void postgres_run(unsigned first, unsigned count)
{
	serve(first, simple);
}

void postgres_extended_run(unsigned first, unsigned count)
{
	serve(first, extended);
}
