/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a server says of its version: what is taken of it fits and is a string.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/buildinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *body = malloc(size ? size : 1), *version = malloc(BUILDINFO_VERSION_MAX);

	if (!body || !version)
		abort();
	memcpy(body, data, size);
	if (!buildinfo_parse(body, size, version, BUILDINFO_VERSION_MAX)) {
		if (strnlen(version, BUILDINFO_VERSION_MAX) == BUILDINFO_VERSION_MAX)
			abort();
		buildinfo_trace_id_safe(version);
	}
	free(version);
	free(body);
	return 0;
}
