/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which address is which line of which file, for one compilation unit: a small copy of a table
 * that takes libdw five times the memory, so that libdw's can be given back at once.
 *
 * AGENT. Only a data structure: it knows no DWARF.
 */
#ifndef SPANPROF_AGENT_SYMBOL_LINES_H
#define SPANPROF_AGENT_SYMBOL_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOL_LINES_FILES_MAX 65536
#define SYMBOL_LINES_TEXT_MAX (4u << 20) /* bytes of all paths */
#define SYMBOL_LINES_PATH_MAX 4096	 /* bytes of one; a longer one is empty */

struct symbol_line_row {
	uint64_t start;
	uint32_t line; /* 0: none */
	uint32_t file; /* index */
};

struct symbol_lines {
	struct symbol_line_row *rows;
	size_t count, room;
	uint32_t *files; /* offsets in text */
	size_t file_count;
	char *text; /* the unit's directory first */
	size_t text_len, text_room;
};

/* Room for so many rows, and the directory that paths may be relative to (or NULL). 0 or -errno. */
int symbol_lines_init(struct symbol_lines *l, size_t rows, size_t files, const char *directory);
void symbol_lines_release(struct symbol_lines *l);

/* The next file; NULL keeps its index. Then rows by ascending start; what exceeds the room is lost.
 */
int symbol_lines_add_file(struct symbol_lines *l, const char *path);
void symbol_lines_add(struct symbol_lines *l, uint64_t start, uint32_t line, uint32_t file);

/* Gives back the room that no row took. 0 or -errno. */
int symbol_lines_trim(struct symbol_lines *l);

/* The last row at or before vaddr, if it has a line. */
const struct symbol_line_row *symbol_lines_find(const struct symbol_lines *l, uint64_t vaddr);

/* A path, or NULL; and the directory that it is below unless it is absolute. */
const char *symbol_lines_file(const struct symbol_lines *l, uint64_t file);
const char *symbol_lines_directory(const struct symbol_lines *l);

size_t symbol_lines_bytes(const struct symbol_lines *l);

#endif
