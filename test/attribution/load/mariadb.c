/* SPDX-License-Identifier: Apache-2.0 */
/* MariaDB's protocol, of which COM_QUERY: the context stands in a comment of the statement. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "link.h"
#include "slot.h"

#define CAPABILITIES (0x200u | 0x8000u | 0x80000u) /* protocol 4.1, its authentication, by plugin  \
						    */

struct packet {
	size_t n;
	unsigned char sequence, bytes[4096];
};

static bool read_all(struct link *link, unsigned char *at, size_t n)
{
	while (n) {
		ssize_t got = link_read(link, at, n);

		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

static bool take(struct link *link, struct packet *packet)
{
	unsigned char head[4];

	if (!read_all(link, head, 4))
		return false;
	packet->n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
	packet->sequence = head[3];
	return packet->n && packet->n < sizeof(packet->bytes) &&
	       read_all(link, packet->bytes, packet->n);
}

static bool give(struct link *link, const void *bytes, size_t n, unsigned char sequence)
{
	unsigned char out[1024] = {(unsigned char)n, (unsigned char)(n >> 8), 0, sequence};

	memcpy(out + 4, bytes, n);
	return link_write(link, out, n + 4);
}

static bool enter(struct link *link, uint32_t capabilities)
{
	unsigned char hello[128] = {0};
	struct packet packet;
	size_t n = 32;

	if (!link_open(link, NULL) || !take(link, &packet))
		return false;
	memcpy(hello, &capabilities, 4);
	hello[7] = 1; /* packets up to 16 MiB */
	hello[8] = 8; /* latin1 */
	memcpy(hello + n, "root", 5);
	n += 5;
	n++; /* no password */
	memcpy(hello + n, "mysql_native_password", 22);
	n += 22;
	return give(link, hello, n, packet.sequence + 1) && take(link, &packet) &&
	       packet.bytes[0] == 0;
}

/* Up to the end of the rows. */
static bool answered(struct link *link)
{
	struct packet packet;

	if (!take(link, &packet) || packet.bytes[0] == 0xff)
		return false;
	for (int ends = 0; ends < 2;) {
		if (!take(link, &packet) || packet.bytes[0] == 0xff)
			return false;
		ends += packet.bytes[0] == 0xfe && packet.n < 9;
	}
	return true;
}

static bool query(struct link *link, const struct ask *ask)
{
	char text[256] = {3};
	int n =
	    1 + snprintf(text + 1, sizeof(text) - 1, "SELECT burn_udf(%u, %u)", ask->n, ask->us);

	if (ask->traceparent[0])
		n += snprintf(text + n, sizeof(text) - (size_t)n, " /*traceparent='%s'*/",
			      ask->traceparent);
	return give(link, text, (size_t)n, 0) && answered(link);
}

void mariadb_run(unsigned first, unsigned count)
{
	struct slot slot = {.index = first};
	struct link link = {.fd = -1};
	struct ask ask;

	while (slot_next(&slot, &ask)) {
		bool good = (link.fd >= 0 || enter(&link, CAPABILITIES)) && query(&link, &ask);

		if (good)
			slot_answered();
		else
			slot_failed("the server did not answer");
		if (!good || ask.close)
			link_close(&link);
	}
	link_close(&link);
}

#define NO_EOF 0x1000000u /* no packet of its own between definitions and rows */

static bool take_some(struct link *link, struct packet *packet, unsigned n)
{
	for (; n; n--)
		if (!take(link, packet) || packet->bytes[0] == 0xff)
			return false;
	return true;
}

/* The statement's id; 0: it was not prepared. */
static uint32_t prepare(struct link *link, const struct ask *ask)
{
	char text[256] = {0x16};
	struct packet packet;
	unsigned definitions;
	uint32_t id;
	int n = 1 + snprintf(text + 1, sizeof(text) - 1,
			     "SELECT burn_udf(CAST(? AS INTEGER), CAST(? AS INTEGER))");

	if (ask->traceparent[0])
		n += snprintf(text + n, sizeof(text) - (size_t)n, " /*traceparent='%s'*/",
			      ask->traceparent);
	if (!give(link, text, (size_t)n, 0) || !take(link, &packet) || packet.bytes[0])
		return 0;
	memcpy(&id, packet.bytes + 1, 4);
	definitions = packet.bytes[5] + packet.bytes[7];
	return take_some(link, &packet, definitions) ? id : 0;
}

static bool execute(struct link *link, uint32_t id, const struct ask *ask)
{
	/* No cursor, once, nothing null, two integers. */
	unsigned char command[24] = {0x17, [6] = 1, [11] = 1, [12] = 3, [14] = 3};
	struct packet packet;

	memcpy(command + 1, &id, 4);
	memcpy(command + 16, &ask->n, 4);
	memcpy(command + 20, &ask->us, 4);
	if (!give(link, command, sizeof(command), 0) || !take(link, &packet) ||
	    packet.bytes[0] != 1 || !take(link, &packet))
		return false;
	do {
		if (!take_some(link, &packet, 1))
			return false;
	} while (packet.bytes[0] != 0xfe);
	return true;
}

static bool forget(struct link *link, uint32_t id)
{
	unsigned char command[5] = {0x19};

	memcpy(command + 1, &id, 4);
	return give(link, command, sizeof(command), 0);
}

void mariadb_prepared_run(unsigned first, unsigned count)
{
	struct slot slot = {.index = first};
	struct link link = {.fd = -1};
	uint32_t id = 0;
	struct ask ask;

	while (slot_next(&slot, &ask)) {
		bool is_new = link.fd < 0, good = !is_new || enter(&link, CAPABILITIES | NO_EOF);

		if (good && (is_new || !load.kept))
			good = (is_new || forget(&link, id)) && (id = prepare(&link, &ask)) != 0;
		good = good && execute(&link, id, &ask);
		if (good)
			slot_answered();
		else
			slot_failed("the server did not answer");
		if (!good || ask.close)
			link_close(&link);
	}
	link_close(&link);
}
