/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of 16 bytes and paths one behind the other.
 *
 * AGENT: called by symbol_dwarf.c.
 */
#include "agent/symbol_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_text(struct symbol_lines *l, const char *text)
{
	size_t n = strnlen(text, SYMBOL_LINES_PATH_MAX);
	char *bigger;

	if (n == SYMBOL_LINES_PATH_MAX)
		n = 0;
	if (n + 1 > l->text_room - l->text_len) {
		size_t room = 2 * (l->text_room + n + 1);

		bigger = room <= SYMBOL_LINES_TEXT_MAX ? realloc(l->text, room) : NULL;
		if (!bigger)
			return -ENOMEM;
		l->text = bigger;
		l->text_room = room;
	}
	memcpy(l->text + l->text_len, text, n);
	l->text[l->text_len + n] = '\0';
	l->text_len += n + 1;
	return 0;
}

int symbol_lines_init(struct symbol_lines *l, size_t rows, size_t files, const char *directory)
{
	memset(l, 0, sizeof(*l));
	if (files > SYMBOL_LINES_FILES_MAX)
		return -EFBIG;
	l->rows = calloc(rows + 1, sizeof(*l->rows));
	l->files = calloc(files + 1, sizeof(*l->files));
	l->room = rows;
	if (l->rows && l->files && !add_text(l, directory ? directory : ""))
		return 0;
	symbol_lines_release(l);
	return -ENOMEM;
}

void symbol_lines_release(struct symbol_lines *l)
{
	free(l->rows);
	free(l->files);
	free(l->text);
	memset(l, 0, sizeof(*l));
}

int symbol_lines_add_file(struct symbol_lines *l, const char *path)
{
	l->files[l->file_count++] = (uint32_t)l->text_len;
	return add_text(l, path ? path : "");
}

void symbol_lines_add(struct symbol_lines *l, uint64_t start, uint32_t line, uint32_t file)
{
	struct symbol_line_row *last = l->count ? &l->rows[l->count - 1] : NULL;

	/* The last of several rows for one address counts; one like that before it says nothing
	 * new. */
	if (last && last->start == start) {
		last->line = line;
		last->file = file;
		return;
	}
	if (last && last->line == line && last->file == file)
		return;
	if (l->count < l->room)
		l->rows[l->count++] = (struct symbol_line_row){start, line, file};
}

int symbol_lines_trim(struct symbol_lines *l)
{
	struct symbol_line_row *rows = realloc(l->rows, (l->count + 1) * sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	l->rows = rows;
	l->room = l->count;
	return 0;
}

const struct symbol_line_row *symbol_lines_find(const struct symbol_lines *l, uint64_t vaddr)
{
	size_t lo = 0, hi = l->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->rows[mid].start <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && l->rows[lo - 1].line ? &l->rows[lo - 1] : NULL;
}

const char *symbol_lines_file(const struct symbol_lines *l, uint64_t file)
{
	const char *path = file < l->file_count ? l->text + l->files[file] : "";

	return *path ? path : NULL;
}

const char *symbol_lines_directory(const struct symbol_lines *l)
{
	return l->text ? l->text : "";
}

size_t symbol_lines_bytes(const struct symbol_lines *l)
{
	return l->room * sizeof(*l->rows) + l->file_count * sizeof(*l->files) + l->text_room;
}
