/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search for separate debug files, in GDB's order, with every find proven.
 *
 * AGENT: called by symbol_source.c when a sample first falls into an object without DWARF.
 */
#include "agent/debugfile.h"

#include "agent/module_open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEBUGFILE_LINK_MAX 4096 /* bytes of a section that names a file */
#define DEBUGFILE_CHUNK 65536
#define ALT_LINK ".gnu_debugaltlink"

static const char *more_directories = "";

/* One search: called for each path in turn until it returns 0. */
struct search {
	int (*try)(struct search *s, int root, const char *path);
	int root;
	void *out;
	const struct module *module;
	const uint8_t *id;
	size_t id_len;
	uint32_t crc;
};

void debugfile_configure(const char *directories)
{
	more_directories = directories;
}

void debugfile_release(struct debugfile *file)
{
	elf_file_release(&file->elf);
	file->path[0] = '\0';
}

/* The CRC of .gnu_debuglink: zlib's, which belongs to another layer here. */
static uint32_t crc_of(uint32_t crc, const uint8_t *bytes, size_t n)
{
	static uint32_t table[256];

	for (uint32_t i = 0; i < 256 && !table[255]; i++) {
		uint32_t v = i;

		for (int bit = 0; bit < 8; bit++)
			v = v & 1 ? v >> 1 ^ 0xedb88320u : v >> 1;
		table[i] = v;
	}
	crc = ~crc;
	for (size_t i = 0; i < n; i++)
		crc = table[(crc ^ bytes[i]) & 255] ^ crc >> 8;
	return ~crc;
}

static bool crc_matches(const struct elf_file *elf, uint32_t wanted)
{
	uint8_t *chunk = elf->size <= DEBUGFILE_CRC_MAX ? malloc(DEBUGFILE_CHUNK) : NULL;
	uint32_t crc = 0;
	bool read = chunk;

	for (uint64_t at = 0; at < elf->size && read; at += DEBUGFILE_CHUNK) {
		size_t n =
		    elf->size - at < DEBUGFILE_CHUNK ? (size_t)(elf->size - at) : DEBUGFILE_CHUNK;

		read = !elf_file_read(elf, at, chunk, n);
		if (read)
			crc = crc_of(crc, chunk, n);
	}
	free(chunk);
	return read && crc == wanted;
}

static bool has_id(const struct elf_file *elf, const uint8_t *id, size_t len)
{
	uint8_t own[MODULE_BUILD_ID_MAX];

	return len && elf_file_build_id(elf, own, sizeof(own)) == len && !memcmp(own, id, len);
}

/* The debug file of a module. Where both have a build-id it decides, and saves reading it all. */
static int try_debug(struct search *s, int root, const char *path)
{
	struct debugfile *out = s->out;
	uint8_t id[MODULE_BUILD_ID_MAX];
	int fd = module_open_beside(root, path), err;

	if (fd < 0)
		return fd;
	err = elf_file_open(&out->elf, fd);
	if (err)
		return err;
	if (s->id_len && elf_file_build_id(&out->elf, id, sizeof(id)))
		err = has_id(&out->elf, s->id, s->id_len) ? 0 : -ESTALE;
	else
		err = s->crc && crc_matches(&out->elf, s->crc) ? 0 : -ESTALE;
	if (err) {
		elf_file_release(&out->elf);
		return err;
	}
	out->root = root;
	snprintf(out->path, sizeof(out->path), "%s", path);
	return 0;
}

static int try_alt(struct search *s, int root, const char *path)
{
	struct symbol_map *map = s->out;
	struct elf_file elf;
	int fd = module_open_beside(root, path), err;

	if (fd < 0)
		return fd;
	err = symbol_map_open(map, fd, true);
	close(fd);
	if (err)
		return err;
	err = elf_file_open_image(&elf, map->base, map->size);
	if (!err) {
		/* A reference of its own would be followed by libdw, unseen by us. */
		err = has_id(&elf, s->id, s->id_len) && !elf_file_section(&elf, ALT_LINK) ? 0
											  : -ESTALE;
		elf_file_release(&elf);
	}
	if (err)
		symbol_map_release(map);
	return err;
}

/* In the object's own root directory, then in ours: the debug files may be on the outside. */
static int try_roots(struct search *s, const char *path)
{
	int err = s->try(s, s->root, path);

	if (err && s->root >= 0)
		err = s->try(s, -1, path);
	return err;
}

static int try_below(struct search *s, const char *directory, size_t n, const char *rest)
{
	char path[DEBUGFILE_PATH_MAX];
	int len = snprintf(path, sizeof(path), "%.*s/%s", (int)n, directory, rest);

	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	return try_roots(s, path);
}

static int try_directories(struct search *s, const char *rest)
{
	int err = try_below(s, DEBUGFILE_DIRECTORY, strlen(DEBUGFILE_DIRECTORY), rest);

	for (const char *at = more_directories; err && *at;) {
		size_t n = strcspn(at, ":");

		if (*at == '/')
			err = try_below(s, at, n, rest);
		at += n + (at[n] ? 1 : 0);
	}
	return err;
}

static int search_build_id(struct search *s)
{
	char rest[32 + 2 * MODULE_BUILD_ID_MAX];
	size_t at;

	if (s->id_len < 2)
		return -ENOENT;
	at = (size_t)snprintf(rest, sizeof(rest), ".build-id/%02x/", s->id[0]);
	for (size_t i = 1; i < s->id_len; i++)
		at += (size_t)snprintf(rest + at, sizeof(rest) - at, "%02x", s->id[i]);
	snprintf(rest + at, sizeof(rest) - at, ".debug");
	return try_directories(s, rest);
}

/* A section that holds a file's name and then bytes that prove it; -ENOENT without one. */
static int read_link(const struct elf_file *elf, const char *name, uint8_t **bytes,
		     size_t *name_len, size_t *len)
{
	const struct elf_file_section *sec = elf_file_section(elf, name);
	int err =
	    sec ? elf_file_copy(elf, sec->offset, sec->size, DEBUGFILE_LINK_MAX, bytes) : -ENOENT;

	if (err)
		return err;
	*len = sec->size;
	*name_len = strlen((char *)*bytes);
	if (*name_len && *name_len < *len)
		return 0;
	free(*bytes);
	return -ENOENT;
}

static int search_link(struct search *s)
{
	const char *slash = strrchr(s->module->path, '/');
	size_t n = slash ? (size_t)(slash - s->module->path) : 0, name_len, len;
	char rest[DEBUGFILE_PATH_MAX];
	uint8_t *link;
	int err = read_link(&s->module->elf, ".gnu_debuglink", &link, &name_len, &len);

	if (err)
		return err;
	/* The CRC is aligned to four bytes; a name with directories in it is none. */
	if (!slash || len < (name_len + 4) / 4 * 4 + 4 || strchr((char *)link, '/')) {
		free(link);
		return -ENOENT;
	}
	memcpy(&s->crc, link + (name_len + 4) / 4 * 4, sizeof(s->crc));
	err = try_below(s, s->module->path, n, (char *)link);
	if (err) {
		snprintf(rest, sizeof(rest), ".debug/%s", (char *)link);
		err = try_below(s, s->module->path, n, rest);
	}
	if (err) {
		snprintf(rest, sizeof(rest), "%.*s/%s", (int)n, s->module->path, (char *)link);
		err = try_directories(s, rest + 1);
	}
	free(link);
	return err;
}

static void empty(struct debugfile *out)
{
	memset(out, 0, sizeof(*out));
	out->elf.fd = out->root = -1;
}

int debugfile_open_at(struct debugfile *out, const struct module *module, const char *path)
{
	uint8_t id[MODULE_BUILD_ID_MAX];
	struct search s = {.try = try_debug, .root = -1, .out = out, .module = module, .id = id};

	empty(out);
	s.id_len = elf_file_build_id(&module->elf, id, sizeof(id));
	if (s.id_len && !try_debug(&s, -1, path))
		return 0;
	empty(out);
	return -ENOENT;
}

int debugfile_open(struct debugfile *out, const struct module *module)
{
	uint8_t id[MODULE_BUILD_ID_MAX];
	struct search s = {
	    .try = try_debug, .root = module->root, .out = out, .module = module, .id = id};

	empty(out);
	s.id_len = elf_file_build_id(&module->elf, id, sizeof(id));
	if (!search_build_id(&s) || !search_link(&s))
		return 0;
	empty(out);
	return -ENOENT;
}

int debugfile_open_alt(struct symbol_map *out, const struct elf_file *elf, int root,
		       const char *path)
{
	struct search s = {.try = try_alt, .root = root, .out = out};
	const char *slash = strrchr(path, '/'), *dwz;
	size_t name_len, len;
	uint8_t *link;
	int err;

	*out = (struct symbol_map){.slot = -1};
	if (!elf_file_section(elf, ALT_LINK))
		return 0;
	if (read_link(elf, ALT_LINK, &link, &name_len, &len))
		return -ENOENT;
	s.id = link + name_len + 1;
	s.id_len = len - name_len - 1;
	dwz = strstr((char *)link, ".dwz/");
	if (s.id_len > MODULE_BUILD_ID_MAX)
		s.id_len = 0;
	err = search_build_id(&s);
	if (err && link[0] == '/')
		err = try_roots(&s, (char *)link);
	else if (err && slash)
		err = try_below(&s, path, (size_t)(slash - path), (char *)link);
	if (err && dwz)
		err = try_directories(&s, dwz);
	free(link);
	return err ? -ENOENT : 0;
}
