/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads line programs with libdw and copies what they say.
 *
 * AGENT: called by symbol_dwarf.c when a unit is first asked for.
 */
#include "agent/symbol_dwarf_rows.h"

#include <string.h>

#include <dwarf.h>
#include <elfutils/libdw.h>

#define DWARF_LINES_MAX (2u << 20) /* bytes of a unit's line program; one may make a row of 80 */
#define LINE_BYTES 80		   /* what libdw keeps for a row of lines, and for a file */
#define FILE_BYTES 160

/* libdw has inflated the section already, if need be. */
void symbol_dwarf_programs(Elf *elf, struct symbol_dwarf_programs *out)
{
	const Elf_Data *data;
	Elf_Scn *scn = NULL;
	const char *name;
	GElf_Shdr sh;
	size_t names;

	*out = (struct symbol_dwarf_programs){0};
	if (elf_getshdrstrndx(elf, &names) != 0)
		return;
	while ((scn = elf_nextscn(elf, scn))) {
		name = gelf_getshdr(scn, &sh) ? elf_strptr(elf, names, sh.sh_name) : NULL;
		if (!name || (strcmp(name, ".debug_line") && strcmp(name, ".zdebug_line")))
			continue;
		data = elf_rawdata(scn, NULL);
		if (data && data->d_buf)
			*out = (struct symbol_dwarf_programs){data->d_buf, data->d_size};
		return;
	}
}

/* Few bytes make many rows: what would take too much memory is not begun. */
static bool fits(const struct symbol_dwarf_programs *p, Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Word at;
	uint32_t size; /* of 64-bit DWARF: all ones */

	if (!p->bytes || !dwarf_attr(die, DW_AT_stmt_list, &attr) ||
	    dwarf_formudata(&attr, &at) != 0 || p->size < sizeof(size) ||
	    at > p->size - sizeof(size))
		return false;
	memcpy(&size, p->bytes + at, sizeof(size));
	return size <= DWARF_LINES_MAX;
}

static int copy_lines(struct symbol_lines *to, Dwarf_Lines *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		Dwarf_Line *row = dwarf_onesrcline(lines, i);
		Dwarf_Files *files;
		Dwarf_Addr start;
		size_t file;
		bool end;
		int line;

		if (dwarf_lineaddr(row, &start) || dwarf_lineno(row, &line) ||
		    dwarf_lineendsequence(row, &end) || dwarf_line_file(row, &files, &file))
			continue;
		symbol_lines_add(to, start, end || line < 0 ? 0 : (uint32_t)line, (uint32_t)file);
	}
	return symbol_lines_trim(to);
}

size_t symbol_dwarf_rows(Dwarf *dwarf, const struct symbol_dwarf_programs *programs, uint64_t unit,
			 struct symbol_lines *to)
{
	size_t line_count, file_count;
	const char *directory;
	Dwarf_Attribute attr;
	Dwarf_Lines *lines;
	Dwarf_Files *files;
	Dwarf_Die die;
	int err;

	if (!dwarf_offdie(dwarf, unit, &die) || !fits(programs, &die) ||
	    dwarf_getsrclines(&die, &lines, &line_count) != 0 ||
	    dwarf_getsrcfiles(&die, &files, &file_count) != 0)
		return 0;
	directory = dwarf_attr(&die, DW_AT_comp_dir, &attr) ? dwarf_formstring(&attr) : NULL;
	err = symbol_lines_init(to, line_count, file_count, directory);
	for (size_t i = 0; i < file_count && !err; i++)
		err = symbol_lines_add_file(to, dwarf_filesrc(files, i, NULL, NULL));
	if (!err)
		err = copy_lines(to, lines, line_count);
	if (err)
		symbol_lines_release(to);
	return line_count * LINE_BYTES + file_count * FILE_BYTES;
}
