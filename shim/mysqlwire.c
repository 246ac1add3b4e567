/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MySQL scanner (MySQL's internals manual, "Client/Server Protocol"). Called by protocol.c.
 * Context: APP. Packets that answer the server (authentication, a file for LOAD DATA) have a sequence
 * number and are passed over; a command's is 0.
 */
#include "shim/mysqlwire.h"

#include <errno.h>
#include <string.h>

enum { HEADER = 4, PACKET_MAX = 0xffffff, HANDSHAKE_MAX = 1 << 16, SSL_REQUEST = 32 };
enum {
	CLIENT_COMPRESS = 1 << 5,
	CLIENT_PROTOCOL_41 = 1 << 9,
	CLIENT_SSL = 1 << 11,
	CLIENT_ZSTD = 1 << 26,
	CLIENT_QUERY_ATTRIBUTES = 1 << 27,
};
enum {
	COM_QUIT = 0x01,
	COM_QUERY = 0x03,
	COM_STMT_PREPARE = 0x16,
	COM_STMT_EXECUTE = 0x17,
	COM_STMT_SEND_LONG_DATA = 0x18,
	COM_STMT_CLOSE = 0x19,
	COM_STMT_RESET = 0x1a,
	COM_LAST = 0x1f,
	COM_STMT_BULK_EXECUTE = 0xfa, /* MariaDB's */
};

static int begin_packet(struct mysqlwire *m)
{
	uint32_t length = m->header[0] | (uint32_t)m->header[1] << 8 | (uint32_t)m->header[2] << 16;
	bool goes_on = m->continued;

	m->left = length;
	m->continued = length == PACKET_MAX;
	if (!m->handshaken) {
		/* 1, or 2 behind a request for TLS. */
		m->position = 0;
		m->capabilities = 0;
		return m->header[3] && m->header[3] < 3 && length >= SSL_REQUEST &&
			       length < HANDSHAKE_MAX
			   ? 0
			   : -EPROTO;
	}
	if (goes_on)
		return 0;
	m->in_command = !mysqlanswer_file_packet(&m->answer, m->header[3], length) && !m->header[3];
	m->text = false;
	m->position = 0;
	return m->in_command && !length ? -EPROTO : 0;
}

static bool is_execution(const struct mysqlwire *m)
{
	return m->command == COM_STMT_EXECUTE || m->command == COM_STMT_BULK_EXECUTE;
}

static int begin_command(struct mysqlwire *m, uint8_t command)
{
	m->command = command;
	if (command > COM_LAST && command != COM_STMT_BULK_EXECUTE)
		return -EPROTO;
	memset(&m->request, 0, sizeof(m->request));
	m->text = command == COM_QUERY || command == COM_STMT_PREPARE;
	if (m->text)
		sqlcomment_begin(&m->comment, SQL_MYSQL, &m->request);
	else if (is_execution(m))
		strcpy(m->request.method, "EXECUTE");
	m->executes = 0;
	return 0;
}

/* Of the query's attributes, which come before it, only their absence is understood: bytes 0, 1. */
static bool is_attribute(struct mysqlwire *m, uint8_t c)
{
	if (m->command != COM_QUERY || !(m->capabilities & (uint32_t)CLIENT_QUERY_ATTRIBUTES))
		return false;
	if (m->position == 1 && c < '\t') {
		m->text = !c;
		return true;
	}
	if (m->position == 2 && c == 1)
		return true;
	return false;
}

static int command(struct mysqlwire *m, const uint8_t *s, size_t n)
{
	size_t i = 0;

	for (; i < n && m->position < 5; i++, m->position++) {
		int ret = m->position ? 0 : begin_command(m, s[i]);

		if (ret)
			return ret;
		if (m->position)
			m->executes |= (uint32_t)s[i] << 8 * (m->position - 1);
		if (m->position && m->text && !is_attribute(m, s[i]))
			sqlcomment_feed(&m->comment, &m->request, (const char *)s + i, 1);
	}
	if (m->text)
		sqlcomment_feed(&m->comment, &m->request, (const char *)s + i, n - i);
	return 0;
}

static void handshake(struct mysqlwire *m, const uint8_t *s, size_t n)
{
	for (size_t i = 0; i < n && m->position < 4; i++, m->position++)
		m->capabilities |= (uint32_t)s[i] << 8 * m->position;
}

static int end_handshake(struct mysqlwire *m)
{
	uint32_t length = m->header[0] | (uint32_t)m->header[1] << 8;

	if (!(m->capabilities & CLIENT_PROTOCOL_41))
		return -EPROTO;
	if (m->capabilities & CLIENT_SSL && length == SSL_REQUEST)
		return MYSQLWIRE_TLS_BEGINS;
	m->handshaken = true;
	return m->capabilities & (CLIENT_COMPRESS | CLIENT_ZSTD) ? -EPROTO : 0;
}

/* > 0: a command that the server answers is complete. */
static int end_packet(struct mysqlwire *m)
{
	m->header_length = 0;
	if (!m->handshaken)
		return end_handshake(m);
	if (!m->in_command || m->continued)
		return 0;
	m->in_command = false;
	if (m->command == COM_QUIT || m->command == COM_STMT_CLOSE ||
	    m->command == COM_STMT_SEND_LONG_DATA)
		return 0;
	if (m->text ||
	    (is_execution(m) && m->prepared && m->executes && m->executes == m->answer.statement))
		m->request.has_context = sqlcomment_end(&m->comment, &m->request.context);
	if (m->command != COM_STMT_RESET)
		m->prepared = m->command == COM_STMT_PREPARE;
	mysqlanswer_expect(&m->answer, m->command, m->header[3], m->capabilities);
	return 1;
}

static int step(struct mysqlwire *m, const uint8_t *s, size_t n, size_t *took)
{
	int ret = 0;

	*took = 1;
	if (m->header_length < HEADER) {
		m->header[m->header_length++] = *s;
		if (m->header_length < HEADER)
			return 0;
		ret = begin_packet(m);
	} else {
		*took = n < m->left ? n : m->left;
		m->left -= (uint32_t)*took;
		if (!m->handshaken)
			handshake(m, s, *took);
		else if (m->in_command)
			ret = command(m, s, *took);
	}
	return ret || m->left ? ret : end_packet(m);
}

ssize_t mysqlwire_feed(struct mysqlwire *m, const void *bytes, size_t n, size_t *at)
{
	const uint8_t *s = bytes;
	size_t took;

	if (m->error)
		return -(ssize_t)m->error;
	for (*at = 0; *at < n;) {
		int ret = step(m, s + *at, n - *at, &took);

		*at += took;
		if (ret < 0 && ret != MYSQLWIRE_TLS_BEGINS)
			m->error = (uint8_t)-ret;
		if (ret)
			return ret < 0 ? ret : (ssize_t)*at;
	}
	return 0;
}
