/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the MySQL or MariaDB server's answer to a command ends. Called by mysqlwire.c and
 * protocol.c. Context: APP; no allocation, no lock, no errno. Zeroed memory awaits nothing.
 */
#ifndef SPANPROF_SHIM_MYSQLANSWER_H
#define SPANPROF_SHIM_MYSQLANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MYSQLANSWER_HELD                                                                           \
	24 /* first bytes of a packet: a status word is behind two numbers at most */

/* Private to mysqlanswer.c. */
struct mysqlanswer {
	uint32_t left;	      /* of this packet */
	uint32_t length;      /* its own */
	uint32_t definitions; /* columns still to be described */
	uint32_t columns; /* of a statement that was prepared: they come behind its parameters */
	uint32_t statement; /* the one that was prepared last; 0: none */
	uint8_t header[4];
	uint8_t header_length;
	uint8_t held_length;
	uint8_t held[MYSQLANSWER_HELD];
	uint8_t sequence; /* of the next packet */
	uint8_t state;
	bool continued; /* the packet goes on in the next */
	bool no_eof;	/* descriptions are not followed by a packet of their own */
	bool begun;	/* a command was seen: what comes before is no answer */
	bool lost;
};

/* A command is complete, whose last packet had that sequence number. capabilities: the client's. */
void mysqlanswer_expect(struct mysqlanswer *a, uint8_t command, uint8_t sequence,
			uint32_t capabilities);
/* The client begins a packet that is no continuation. True: it is a piece of a file that the server
 * asked for (length 0: its end), and no command. */
bool mysqlanswer_file_packet(struct mysqlanswer *a, uint8_t sequence, uint32_t length);
/* The next n bytes to the client; NULL: they were not seen. > 0: the answer has ended after that
 * many; 0: it has not, or it will not be told for this command. */
ssize_t mysqlanswer_feed(struct mysqlanswer *a, const void *bytes, size_t n);

#endif
