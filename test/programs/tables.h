/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.h - for hosts of whose code the agent must know before they show what they are for: that their
 * handlers can walk it, or whose it is. How soon that is is up to the machine, so such a host works
 * elsewhere until it sees it. It looks where its own handlers do, in the region (shim/feed.h); bare, there
 * is nothing to wait for.
 */
#ifndef TABLES_H
#define TABLES_H

#include <sys/types.h>

#include "host.h"
#include "shim/feed.h"

#define TABLES_SECONDS 30 /* of wall time; then something is broken */

/* Where a readable mapping of the beginning of such a file is; NULL: nowhere. */
static const void *tables_mapping(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, offset;
	char line[4096 + 128], mode[5];
	const void *found = NULL;

	HOST_CHECK(maps);
	while (!found && fgets(line, sizeof(line), maps))
		if (strstr(line, name) &&
		    sscanf(line, "%lx-%*x %4s %lx", &start, mode, &offset) == 3 && offset == 0 &&
		    mode[0] == 'r')
			found = (const void *)start;
	fclose(maps);
	return found;
}

static uint32_t tables_snapshot(const char *region)
{
	const struct feed_header *header = (const struct feed_header *)region;
	const struct feed_process *slots =
		(const struct feed_process *)(region + header->processes_offset);

	for (uint32_t i = 0; i < header->process_count; i++)
		if (slots[i].state == FEED_PROCESS_LIVE && slots[i].pid == getpid())
			return slots[i].snapshot;
	return 0;
}

/* Whether the agent has read a map that has code at an address, and has published it. */
static int tables_cover(const void *code)
{
	static const char *region;
	const struct feed_snapshot *snapshot;
	uint32_t offset;

	if (!region)
		region = tables_mapping("/memfd:spanprof");
	offset = region ? tables_snapshot(region) : 0;
	if (!offset)
		return 0;
	snapshot = (const struct feed_snapshot *)(
		region + ((const struct feed_header *)region)->tables_offset + offset);
	for (uint32_t i = 0; i < snapshot->count; i++)
		if ((uintptr_t)code >= snapshot->mappings[i].start &&
		    (uintptr_t)code < snapshot->mappings[i].end)
			return 1;
	return 0;
}

/* Until then it works by calls of work, or by itself: not in host_burn, so these are no samples that a
 * test looks at. */
__attribute__((noinline, noclone)) static void tables_await(const void *code, void (*work)(void *),
							    void *arg)
{
	double end = host_clock(CLOCK_MONOTONIC) + TABLES_SECONDS;
	unsigned long x = 1;

	if (!tables_mapping("/libspanprof.so"))
		return;
	while (!tables_cover(code)) {
		HOST_CHECK(host_clock(CLOCK_MONOTONIC) < end);
		if (work)
			work(arg);
		else
			for (unsigned long i = 0; i < 200000; i++)
				host_sink = x = x * 6364136223846793005UL + i;
	}
}

#endif
