/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF file in memory, fit to be handed to a library that trusts headers: vetted and mapped.
 *
 * AGENT. libdw wants a whole image, so this is the one place that maps a foreign file. Its headers
 * are checked first; what they claim to inflate to is bounded; a file that is truncated while it
 * is mapped reads as zeros and is marked, rather than ending the agent by SIGBUS; and a file that
 * somebody else could rewrite between a library's check and its use is copied instead.
 */
#ifndef SPANPROF_AGENT_SYMBOL_MAP_H
#define SPANPROF_AGENT_SYMBOL_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOL_MAP_FILES_MAX 256	   /* mapped at once */
#define SYMBOL_MAP_SECTIONS_MAX 16384	   /* of one file */
#define SYMBOL_MAP_COPY_MAX (32u << 20)	   /* bytes of a file that is copied */
#define SYMBOL_MAP_INFLATE_MAX (32u << 20) /* bytes of all its sections that are compressed */

struct symbol_map {
	uint8_t *base; /* NULL: nothing is mapped. Private and writable: the file never changes. */
	size_t size;
	size_t cost; /* bytes of memory that are not the page cache's: a copy, inflated sections */
	int slot;
};

/*
 * The file behind fd, which stays the caller's. With any_type an ET_REL without segments will do
 * (dwz's common files), and looks like an ET_DYN. -ENOEXEC: malformed; -EFBIG: above a bound.
 */
int symbol_map_open(struct symbol_map *map, int fd, bool any_type);
void symbol_map_release(struct symbol_map *map);

/* Whether the file was cut short meanwhile: zeros were read in place of what it had. */
bool symbol_map_broken(const struct symbol_map *map);

#endif
