/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of the MySQL protocol (MySQL's internals manual and MariaDB's knowledge base,
 * "Client/Server Protocol"). Called by mysqlwire.c and protocol.c. Context: APP. What is not known,
 * or is asked before the answer before it has ended, has no end that is told; packets must be
 * numbered as they should.
 */
#include "shim/mysqlanswer.h"

#include <string.h>

enum state {
	IDLE,		  /* zero: nothing is awaited */
	ONE_PACKET,	  /* whatever it says */
	RESULT,		  /* OK, an error, or how many columns the rows have */
	FILE_WANTED,	  /* the client's turn */
	PREPARED,	  /* OK, with the numbers of parameters and columns */
	PARAMETERS,	  /* their definitions, */
	AFTER_PARAMETERS, /* then perhaps their end */
	COLUMNS,	  /* of the statement, likewise */
	AFTER_COLUMNS,
	DEFINITIONS, /* of the rows' columns */
	AFTER_DEFINITIONS,
	ROWS,
	UNTOLD, /* where it ends is not known */
};

enum { PACKET_MAX = 0xffffff, COLUMNS_MAX = 1 << 16, HEADER = 4 };
enum { CLIENT_DEPRECATE_EOF = 1 << 24, CLIENT_OPTIONAL_METADATA = 1 << 25 };
enum { MORE_RESULTS = 0x08, CURSOR_EXISTS = 0x40 };
enum { OK = 0x00, IN_FILE = 0xfb, END = 0xfe, ERROR = 0xff, EOF_SIZE = 5, PREPARED_SIZE = 12 };

static enum state of_command(uint8_t command)
{
	switch (command) {
	case 0x03: /* COM_QUERY */
	case 0x0a: /* COM_PROCESS_INFO */
	case 0x17: /* COM_STMT_EXECUTE */
	case 0xfa: /* MariaDB's COM_STMT_BULK_EXECUTE */
		return RESULT;
	case 0x04: /* COM_FIELD_LIST: definitions without a number before them */
	case 0x1c: /* COM_STMT_FETCH */
		return ROWS;
	case 0x16: /* COM_STMT_PREPARE */
		return PREPARED;
	case 0x02: /* COM_INIT_DB */
	case 0x05: /* COM_CREATE_DB */
	case 0x06: /* COM_DROP_DB */
	case 0x07: /* COM_REFRESH */
	case 0x08: /* COM_SHUTDOWN */
	case 0x09: /* COM_STATISTICS */
	case 0x0c: /* COM_PROCESS_KILL */
	case 0x0d: /* COM_DEBUG */
	case 0x0e: /* COM_PING */
	case 0x1a: /* COM_STMT_RESET */
	case 0x1b: /* COM_SET_OPTION */
	case 0x1f: /* COM_RESET_CONNECTION */
		return ONE_PACKET;
	default: /* replication, another user */
		return UNTOLD;
	}
}

void mysqlanswer_expect(struct mysqlanswer *a, uint8_t command, uint8_t sequence,
			uint32_t capabilities)
{
	bool between = !a->header_length && !a->continued;

	if (of_command(command) == PREPARED)
		a->statement = 0;
	a->begun = true;
	a->lost |= !between || (a->state != IDLE && a->state != UNTOLD);
	a->state = (uint8_t)of_command(command);
	a->sequence = (uint8_t)(sequence + 1);
	a->no_eof = capabilities & CLIENT_DEPRECATE_EOF;
	if (capabilities & CLIENT_OPTIONAL_METADATA)
		a->state = UNTOLD;
}

/* A file of many packets comes to number 0, as commands have. */
bool mysqlanswer_file_packet(struct mysqlanswer *a, uint8_t sequence, uint32_t length)
{
	if (a->state != FILE_WANTED || a->lost || sequence != a->sequence)
		return false;
	a->sequence = (uint8_t)(sequence + 1);
	if (!length)
		a->state = RESULT;
	return true;
}

/* The length-encoded number at *at; false: it is not all there, or none. */
static bool number(const struct mysqlanswer *a, size_t *at, uint64_t *n)
{
	size_t size;
	uint8_t first;

	if (*at >= a->held_length)
		return false;
	first = a->held[(*at)++];
	size = first < 0xfb ? 0 : first == 0xfc ? 2 : first == 0xfd ? 3 : 8;
	*n = size ? 0 : first;
	if (first == 0xfb || first == 0xff || *at + size > a->held_length)
		return false;
	for (size_t i = 0; i < size; i++)
		*n |= (uint64_t)a->held[(*at)++] << 8 * i;
	return true;
}

/* The status of an OK packet, or of one that ends rows; -1: it has none. */
static int status(const struct mysqlanswer *a)
{
	uint64_t ignored;
	size_t at = 1;

	if (a->held[0] == END && a->length == EOF_SIZE)
		at = 3;
	else if (!number(a, &at, &ignored) || !number(a, &at, &ignored))
		return -1;
	return at + 2 <= a->held_length ? a->held[at] | a->held[at + 1] << 8 : -1;
}

static enum state after_status(const struct mysqlanswer *a)
{
	int flags = status(a);

	if (flags < 0)
		return UNTOLD;
	return flags & MORE_RESULTS ? RESULT : IDLE;
}

/* How many columns, and whether they are described (MariaDB's clients may know them already). */
static enum state begin_rows(struct mysqlanswer *a)
{
	uint64_t columns;
	size_t at = 0;

	if (!number(a, &at, &columns) || !columns || columns > COLUMNS_MAX)
		return UNTOLD;
	a->definitions = (uint32_t)columns;
	if (a->length == at)
		return DEFINITIONS;
	if (a->length != at + 1 || a->held[at] > 1)
		return UNTOLD;
	return a->held[at] ? DEFINITIONS : AFTER_DEFINITIONS;
}

static enum state result(struct mysqlanswer *a)
{
	if (a->held[0] == OK)
		return after_status(a);
	return a->held[0] == IN_FILE ? FILE_WANTED : begin_rows(a);
}

/* Behind the parameters of a statement that was prepared. */
static enum state columns_of_prepared(struct mysqlanswer *a)
{
	a->definitions = a->columns;
	return a->columns ? COLUMNS : IDLE;
}

static enum state prepared(struct mysqlanswer *a)
{
	uint32_t parameters = a->held[7] | (uint32_t)a->held[8] << 8;

	if (a->held[0] != OK || a->length < PREPARED_SIZE)
		return UNTOLD;
	a->columns = a->held[5] | (uint32_t)a->held[6] << 8;
	a->definitions = parameters;
	memcpy(&a->statement, a->held + 1, sizeof(a->statement));
	return parameters ? PARAMETERS : columns_of_prepared(a);
}

/* A packet that ends rows; no row begins with its first byte but one of full size. */
static bool ends_rows(const struct mysqlanswer *a)
{
	return a->held[0] == END && a->length < PACKET_MAX;
}

/* True: the last of them. */
static bool definition(struct mysqlanswer *a)
{
	if (ends_rows(a)) {
		a->state = UNTOLD;
		return false;
	}
	return !--a->definitions;
}

static enum state row(struct mysqlanswer *a)
{
	return ends_rows(a) ? after_status(a) : ROWS;
}

/* Whether another packet stands between definitions and rows shows in its size. */
static enum state after_definitions(struct mysqlanswer *a)
{
	int flags;

	if (!ends_rows(a) || a->length != EOF_SIZE)
		return row(a);
	flags = status(a);
	return flags & CURSOR_EXISTS ? IDLE : ROWS;
}

/* The next state, a packet having ended. */
static enum state packet(struct mysqlanswer *a)
{
	bool error = a->held_length && a->held[0] == ERROR;

	if (a->state == IDLE || a->state == UNTOLD)
		return a->state;
	if (!a->held_length)
		return UNTOLD;
	/* MariaDB tells progress as an error of this number. */
	if (error && a->held_length >= 3 && a->held[1] == 0xff && a->held[2] == 0xff)
		return a->state;
	if (error)
		return IDLE;
	switch (a->state) {
	case ONE_PACKET:
		return IDLE;
	case RESULT:
		return result(a);
	case PREPARED:
		return prepared(a);
	case PARAMETERS:
		if (!definition(a))
			return a->state;
		return a->no_eof ? columns_of_prepared(a) : AFTER_PARAMETERS;
	case AFTER_PARAMETERS:
		return ends_rows(a) ? columns_of_prepared(a) : UNTOLD;
	case COLUMNS:
		if (!definition(a))
			return a->state;
		return a->no_eof ? IDLE : AFTER_COLUMNS;
	case AFTER_COLUMNS:
		return ends_rows(a) ? IDLE : UNTOLD;
	case DEFINITIONS:
		return definition(a) ? AFTER_DEFINITIONS : a->state;
	case AFTER_DEFINITIONS:
		return after_definitions(a);
	case ROWS:
		return row(a);
	default:
		return UNTOLD;
	}
}

static void begin_packet(struct mysqlanswer *a)
{
	a->length = a->header[0] | (uint32_t)a->header[1] << 8 | (uint32_t)a->header[2] << 16;
	a->left = a->length;
	if (a->state != IDLE && a->state != UNTOLD && a->header[3] != a->sequence)
		a->state = UNTOLD;
	a->sequence = (uint8_t)(a->header[3] + 1);
	if (!a->continued)
		a->held_length = 0;
}

/* Its header is there; some of its n bytes: how many. */
static size_t payload(struct mysqlanswer *a, const uint8_t *s, size_t n)
{
	size_t took = n < a->left ? n : a->left, room = MYSQLANSWER_HELD - a->held_length;

	if (!a->continued && room) {
		room = room < took ? room : took;
		memcpy(a->held + a->held_length, s, room);
		a->held_length += (uint8_t)room;
	}
	a->left -= (uint32_t)took;
	return took;
}

/* True: and the answer with it. */
static bool end_packet(struct mysqlanswer *a)
{
	bool was_continued = a->continued, awaited = a->state != IDLE;

	a->header_length = 0;
	a->continued = a->length == PACKET_MAX;
	if (was_continued)
		return false;
	a->state = (uint8_t)packet(a);
	return awaited && a->state == IDLE;
}

ssize_t mysqlanswer_feed(struct mysqlanswer *a, const void *bytes, size_t n)
{
	const uint8_t *s = bytes;

	if (!a->begun)
		return 0;
	a->lost |= !bytes && n;
	for (size_t at = 0; at < n && !a->lost;) {
		if (a->header_length < HEADER) {
			a->header[a->header_length++] = s[at++];
			if (a->header_length == HEADER)
				begin_packet(a);
		} else {
			at += payload(a, s + at, n - at);
		}
		if (a->header_length == HEADER && !a->left && end_packet(a))
			return (ssize_t)at;
	}
	return 0;
}
