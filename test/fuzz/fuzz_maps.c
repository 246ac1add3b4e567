/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as /proc/PID/maps: what is kept is sorted, disjoint, and found again.
 */
#include "agent/maps.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maps maps;

	maps_init(&maps);
	if (maps_parse(&maps, (const char *)data, size))
		abort();
	for (size_t i = 0; i < maps.count; i++) {
		const struct maps_entry *e = &maps.entries[i];

		if (e->start >= e->end || (i && e[-1].end > e->start) || strlen(e->path) > size)
			abort();
		if (maps_find(&maps, e->start) != e || maps_find(&maps, e->end - 1) != e)
			abort();
	}
	maps_release(&maps);
	return 0;
}
