/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One section inflated. AGENT: called by module_frames.c. The sole user of libelf as such.
 */
#include "agent/elf_inflate.h"

#include "agent/symbol_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libelf.h>

static int copy_data(Elf_Scn *scn, uint8_t **bytes, size_t *len)
{
	Elf_Data *data = elf_compress(scn, 0, 0) >= 0 ? elf_getdata(scn, NULL) : NULL;

	if (!data || !data->d_buf || !data->d_size)
		return -EBADMSG;
	*bytes = malloc(data->d_size);
	if (!*bytes)
		return -ENOMEM;
	memcpy(*bytes, data->d_buf, data->d_size);
	*len = data->d_size;
	return 0;
}

int elf_inflate(const struct elf_file *elf, const struct elf_file_section *section, uint8_t **bytes,
		size_t *len)
{
	struct symbol_map map;
	Elf *file = NULL;
	Elf_Scn *scn;
	int err;

	if (elf->fd < 0)
		return -EINVAL;
	err = symbol_map_open(&map, elf->fd, false);
	if (err)
		return err;
	elf_version(EV_CURRENT);
	file = elf_memory((char *)map.base, map.size);
	scn = file ? elf_getscn(file, (size_t)(section - elf->sections)) : NULL;
	err = scn ? copy_data(scn, bytes, len) : -EBADMSG;
	elf_end(file);
	if (!err && symbol_map_broken(&map)) {
		free(*bytes);
		err = -EIO;
	}
	symbol_map_release(&map);
	return err;
}
