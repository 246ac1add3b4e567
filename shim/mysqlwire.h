/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MySQL and MariaDB protocol as a server sees it, from the client's first packet on (the server
 * has greeted it before). A request is a command; the texts of COM_QUERY and COM_STMT_PREPARE may
 * carry context. The execution of a prepared statement has that of its text if it is the very next
 * command, since it was prepared for that; later ones are others', who carry none.
 * Context: APP; no allocation, no lock, no errno. Zeroed memory is an initialised scanner.
 */
#ifndef SPANPROF_SHIM_MYSQLWIRE_H
#define SPANPROF_SHIM_MYSQLWIRE_H

#include <sys/types.h>

#include "shim/mysqlanswer.h"
#include "shim/sqlcomment.h"

#define MYSQLWIRE_TLS_BEGINS (-EPROTOTYPE)

/* Private to mysqlwire.c. */
struct mysqlwire {
	struct request_head request;
	struct sqlcomment comment;
	struct mysqlanswer answer;
	uint32_t left; /* of this packet */
	uint32_t capabilities;
	uint32_t position; /* in the command or the handshake; it stops at a few */
	uint32_t executes; /* the statement that this command is to execute */
	uint8_t header[4];
	uint8_t header_length;
	uint8_t command;
	bool handshaken;
	bool continued; /* the packet is full: the command goes on in the next */
	bool in_command;
	bool text;	/* the bytes that come are the statement's */
	bool prepared;	/* the command before has prepared a statement, of which .comment is */
	uint8_t error;
};

/*
 * The next n bytes from the client. > 0: a command is complete after that many, see request; 0: none
 * is; < 0: -EPROTO (also a compressed connection), for good, or MYSQLWIRE_TLS_BEGINS, after *at of n
 * bytes. What comes after that, decrypted, may be fed again.
 */
ssize_t mysqlwire_feed(struct mysqlwire *m, const void *bytes, size_t n, size_t *at);

#endif
