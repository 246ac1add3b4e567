/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file behind a mapping: a descriptor that is proven to be what the process mapped.
 *
 * AGENT. A path in a maps file is a claim by an untrusted process, perhaps from another root
 * directory: nothing is opened for reading before it is known to be a regular file with the
 * mapping's inode.
 */
#ifndef SPANPROF_AGENT_MODULE_OPEN_H
#define SPANPROF_AGENT_MODULE_OPEN_H

#include "agent/maps.h"

#include <sys/types.h>

/* A descriptor open for reading, or -errno. pid <= 0: only the path itself is tried. */
int module_open(const struct maps_entry *entry, pid_t pid);

/*
 * The same; if the file was found by its path inside the process's root directory, root is a
 * descriptor of that directory (O_PATH), else -1.
 */
int module_open_root(const struct maps_entry *entry, pid_t pid, int *root);

/*
 * Another regular file of the same root directory (-1: ours), open for reading, or -errno. No
 * symbolic link leads out of root. Whether it is the right one, its contents must say.
 */
int module_open_beside(int root, const char *path);

#endif
