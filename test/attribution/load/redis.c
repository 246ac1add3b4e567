/* SPDX-License-Identifier: Apache-2.0 */
/* redis: a value that is a whole request head with a context in it, and a script that takes a
 * while. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "slot.h"

#define SCRIPT "local x = 0 for i = 1, ARGV[1] do x = x + i % 7 end return x"
#define ROUNDS_PER_US 50

/* Two answers, of one line each. */
static bool answered(struct link *link)
{
	char byte;

	for (int lines = 0; lines < 2; lines += byte == '\n')
		if (link_read(link, &byte, 1) != 1 || byte == '-')
			return false;
	return true;
}

static size_t commands(char *text, size_t size, const struct ask *ask)
{
	char head[256], rounds[16];

	snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: localhost\r\ntraceparent: %s\r\n\r\n",
		 ask->traceparent);
	snprintf(rounds, sizeof(rounds), "%u", ask->us * ROUNDS_PER_US);
	return (size_t)snprintf(text, size,
				"*3\r\n$3\r\nSET\r\n$4\r\nhead\r\n$%zu\r\n%s\r\n"
				"*4\r\n$4\r\nEVAL\r\n$%zu\r\n%s\r\n$1\r\n0\r\n$%zu\r\n%s\r\n",
				strlen(head), head, strlen(SCRIPT), SCRIPT, strlen(rounds), rounds);
}

void redis_run(unsigned first, unsigned count)
{
	struct slot slot = {.index = first};
	struct link link = {.fd = -1};
	struct ask ask;
	char text[1024];

	while (slot_next(&slot, &ask)) {
		bool good = link.fd >= 0 || link_open(&link, NULL);

		if (good && link_write(&link, text, commands(text, sizeof(text), &ask)) &&
		    answered(&link)) {
			slot_answered();
			continue;
		}
		slot_failed("redis did not answer");
		link_close(&link);
	}
	link_close(&link);
}
