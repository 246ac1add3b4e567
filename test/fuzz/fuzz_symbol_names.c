/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a linked name, demangled whole and shortened. Time is what hurts here: see -timeout.
 */
#include "agent/demangle.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = malloc(size + 1);
	const char *shown;

	if (!name)
		abort();
	memcpy(name, data, size);
	name[size] = '\0';
	shown = demangle(name, false);
	if (shown && (!*shown || strlen(shown) >= DEMANGLE_OUTPUT_MAX))
		abort();
	shown = demangle(name, true);
	if (shown && !*shown)
		abort();
	shown = demangle_ada(name);
	if (shown && (!*shown || strlen(shown) >= DEMANGLE_OUTPUT_MAX))
		abort();
	demangle_shorten(name);
	free(name);
	return 0;
}
