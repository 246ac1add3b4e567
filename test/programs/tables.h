/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.h - for hosts whose stacks only the handler can walk, by the tables that the agent publishes:
 * how soon those are there is up to the machine, so such a host works elsewhere until it sees them. It
 * looks where its own handlers do, in the region (shim/feed.h); bare, there is nothing to wait for.
 */
#ifndef TABLES_H
#define TABLES_H

#include <sys/types.h>

#include "host.h"
#include "shim/feed.h"

#define TABLES_SECONDS 30 /* of wall time; then something is broken */

/* Whether one of this process's mappings has such a name; where the region's header is, if it is that. */
static const struct feed_header *tables_mapping(const char *name, int *found)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start = 0, offset;
	char line[4096 + 128], mode[5];

	*found = 0;
	HOST_CHECK(maps);
	while (!*found && fgets(line, sizeof(line), maps))
		*found = strstr(line, name) &&
			 sscanf(line, "%lx-%*x %4s %lx", &start, mode, &offset) == 3 && offset == 0 &&
			 mode[0] == 'r';
	fclose(maps);
	return *found ? (const struct feed_header *)start : NULL;
}

static int tables_published(void)
{
	static const struct feed_header *header;
	const struct feed_process *slots;
	int found;

	if (!header)
		header = tables_mapping("/memfd:spanprof", &found);
	if (!header)
		return 0;
	slots = (const struct feed_process *)((const char *)header + header->processes_offset);
	for (uint32_t i = 0; i < header->process_count; i++)
		if (slots[i].state == FEED_PROCESS_LIVE && slots[i].pid == getpid())
			return slots[i].snapshot != 0;
	return 0;
}

/* Not host_burn: these samples are not the ones that are looked at. Ticks come of CPU time alone. */
__attribute__((noinline, noclone)) static void host_await_tables(void)
{
	double end = host_clock(CLOCK_MONOTONIC) + TABLES_SECONDS;
	unsigned long x = 1;
	int profiled;

	tables_mapping("/libspanprof.so", &profiled);
	while (profiled && !tables_published()) {
		HOST_CHECK(host_clock(CLOCK_MONOTONIC) < end);
		for (unsigned long i = 0; i < 200000; i++)
			host_sink = x = x * 6364136223846793005UL + i;
	}
}

#endif
