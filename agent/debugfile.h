/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the separate file that holds an object's debug information: by build-id, by
 * .gnu_debuglink, and the common file that dwz made of several (.gnu_debugaltlink).
 *
 * AGENT. Names in a file are claims: what is found counts only if its build-id, or failing that
 * its CRC, is the one asked for. Directories are looked up below the root that the object itself
 * came from, then below ours.
 */
#ifndef SPANPROF_AGENT_DEBUGFILE_H
#define SPANPROF_AGENT_DEBUGFILE_H

#include "agent/module.h"
#include "agent/symbol_map.h"

#define DEBUGFILE_PATH_MAX 4096
#define DEBUGFILE_DIRECTORY "/usr/lib/debug"
#define DEBUGFILE_CRC_MAX (128u << 20) /* bytes of a file whose only proof is its CRC */

/* The file that has the debug information: where it is, for what it names in turn. */
struct debugfile {
	struct elf_file elf; /* fd is -1 when there is none */
	int root;	     /* borrowed from the module */
	char path[DEBUGFILE_PATH_MAX];
};

/* More directories, colon-separated; absolute ones count. Kept by reference. */
void debugfile_configure(const char *directories);

/* 0, or -ENOENT and an empty file. */
int debugfile_open(struct debugfile *out, const struct module *module);
/* The same with the one file at path, below our own root: it counts only if its build-id does. */
int debugfile_open_at(struct debugfile *out, const struct module *module, const char *path);
void debugfile_release(struct debugfile *file);

/*
 * The common file that elf, found at path below root, refers to. 0, also without a reference: the
 * map is then empty. -ENOENT: there is a reference, but not its file.
 */
int debugfile_open_alt(struct symbol_map *out, const struct elf_file *elf, int root,
		       const char *path);

#endif
