/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles as files in a directory, for machines without a server and for tests. Context: AGENT;
 * writes to a local file system, never to the network.
 */
#ifndef SPANPROF_AGENT_SINK_H
#define SPANPROF_AGENT_SINK_H

#include <stddef.h>
#include <stdint.h>

#define SINK_SERVICE_MAX 128 /* bytes of the service's name that a file name keeps */

/*
 * Writes <dir>/<service>-<kind>-<unix_ms>.pb.gz whole or not at all, with a later millisecond if
 * that file exists; makes dir (one level) if it is missing. path_out, unless NULL, gets the path.
 * Returns 0 or -errno, and then nothing was left behind.
 */
int sink_write(const char *dir, const char *service, const char *kind, uint64_t unix_ms,
	       const void *bytes, size_t n, char *path_out, size_t path_cap);

#endif
