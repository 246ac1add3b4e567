/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/debugfile.c over files made here: what is found, where, and what is not believed. And
 * agent/symbol_map.c, which is the last to look at a file before libdw does.
 */
#include "agent/debugfile.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "\xab\xcd\xef\x01"
#define NAMES "\0.note.gnu.build-id\0.gnu_debuglink\0.gnu_debugaltlink\0.shstrtab\0.zero"

/* The smallest object with a build-id and references to others. */
struct image {
	Elf64_Ehdr eh;
	Elf64_Shdr sh[6]; /* null, build-id, link, alternative link, names, compressed */
	struct {
		Elf64_Nhdr header;
		char name[4], id[4];
	} note;
	struct {
		char name[12];
		uint32_t crc;
	} link;
	struct {
		char name[12];
		char id[4];
	} alt;
	char names[sizeof(NAMES)];
	Elf64_Chdr compressed;
};

struct fixture {
	char directory[64], path[128];
	struct image image;
	struct module module;
	struct debugfile found;
};

static void section(struct fixture *f, int i, uint32_t name, uint32_t type, size_t at, size_t n)
{
	f->image.sh[i] =
	    (Elf64_Shdr){.sh_name = name, .sh_type = type, .sh_offset = at, .sh_size = n};
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct image *m = &f->image;

	strcpy(f->directory, "/tmp/debugfile_test.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	memcpy(m->eh.e_ident, ELFMAG "\2\1\1", 7);
	m->eh.e_type = ET_DYN;
	m->eh.e_machine = EM_X86_64;
	m->eh.e_version = EV_CURRENT;
	m->eh.e_ehsize = sizeof(m->eh);
	m->eh.e_phentsize = sizeof(Elf64_Phdr);
	m->eh.e_shentsize = sizeof(Elf64_Shdr);
	m->eh.e_shoff = offsetof(struct image, sh);
	m->eh.e_shnum = 6;
	m->eh.e_shstrndx = 4;
	section(f, 1, 1, SHT_NOTE, offsetof(struct image, note), sizeof(m->note));
	section(f, 4, 53, SHT_STRTAB, offsetof(struct image, names), sizeof(m->names));
	m->note.header = (Elf64_Nhdr){4, 4, NT_GNU_BUILD_ID};
	memcpy(m->note.name, "GNU", 4);
	memcpy(m->note.id, ID, 4);
	memcpy(m->names, NAMES, sizeof(m->names));
	memcpy(m->link.name, "x.debug", 8);
	memcpy(m->alt.name, "alt.debug\0\0", 12);
	f->module.root = f->module.elf.fd = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	debugfile_configure("");
	snprintf(command, sizeof(command), "rm -rf %s", f->directory);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static const char *write_image(struct fixture *f, const char *name)
{
	char command[256];
	FILE *file;

	snprintf(f->path, sizeof(f->path), "%s/%s", f->directory, name);
	snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", f->path);
	assert_int_equal(system(command), 0);
	file = fopen(f->path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(&f->image, sizeof(f->image), 1, file), 1);
	fclose(file);
	return f->path;
}

static void open_module(struct fixture *f, const char *name)
{
	f->module.path = strdup(write_image(f, name));
	assert_int_equal(elf_file_open(&f->module.elf, open(f->path, O_RDONLY)), 0);
}

static int search(struct fixture *f)
{
	int err = debugfile_open(&f->found, &f->module);

	if (!err)
		debugfile_release(&f->found);
	return err;
}

static void close_module(struct fixture *f)
{
	elf_file_release(&f->module.elf);
	free(f->module.path);
}

static void a_build_id_is_looked_up_in_each_directory(void **state)
{
	struct fixture *f = *state;
	char path[256];

	open_module(f, "object");
	assert_int_equal(search(f), -ENOENT);
	write_image(f, "second/.build-id/ab/cdef01.debug");
	assert_int_equal(search(f), -ENOENT);
	snprintf(path, sizeof(path), ":relative:%s/first:%s/second", f->directory, f->directory);
	debugfile_configure(path);
	assert_int_equal(search(f), 0);
	f->image.note.id[3] ^= 1;
	write_image(f, "second/.build-id/ab/cdef01.debug");
	assert_int_equal(search(f), -ENOENT);
	close_module(f);
}

static void a_link_is_followed_beside_the_object_if_the_build_id_is_the_same(void **state)
{
	struct fixture *f = *state;

	section(f, 2, 20, SHT_PROGBITS, offsetof(struct image, link), 12);
	open_module(f, "object");
	write_image(f, ".debug/x.debug");
	assert_int_equal(search(f), 0);
	f->image.note.id[0] ^= 1;
	write_image(f, ".debug/x.debug");
	assert_int_equal(search(f), -ENOENT);
	f->image.note.id[0] ^= 1;
	write_image(f, "x.debug");
	assert_int_equal(search(f), 0);
	close_module(f);
}

static void what_has_no_build_id_must_have_the_right_sum(void **state)
{
	struct fixture *f = *state;

	section(f, 1, 0, SHT_NULL, 0, 0);
	section(f, 2, 20, SHT_PROGBITS, offsetof(struct image, link), 12);
	f->image.link.crc = 0x12345678;
	open_module(f, "object");
	write_image(f, "x.debug");
	assert_int_equal(search(f), -ENOENT);
	close_module(f);
}

/* As for a process in a container: its /usr/lib/debug, and links that stay within its root. */
static void below_the_root_of_the_object_is_looked_first(void **state)
{
	struct fixture *f = *state;
	char link[256];

	open_module(f, "object");
	free(f->module.path);
	f->module.path = strdup("/object");
	f->module.root = open(f->directory, O_PATH | O_DIRECTORY);
	assert_int_equal(search(f), -ENOENT);
	write_image(f, "elsewhere/cdef01.debug");
	write_image(f, "usr/lib/debug/.build-id/ab/other.debug");
	snprintf(link, sizeof(link), "%s/usr/lib/debug/.build-id/ab/cdef01.debug", f->directory);
	assert_int_equal(symlink("/elsewhere/cdef01.debug", link), 0);
	assert_int_equal(search(f), 0);
	assert_int_equal(f->found.root, f->module.root);
	unlink(link);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_int_equal(search(f), -ENOENT);
	close(f->module.root);
	close_module(f);
}

static void a_fifo_or_a_name_with_directories_is_not_opened(void **state)
{
	struct fixture *f = *state;
	char path[256];

	section(f, 2, 20, SHT_PROGBITS, offsetof(struct image, link), 12);
	open_module(f, "object");
	snprintf(path, sizeof(path), "%s/x.debug", f->directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(search(f), -ENOENT);
	unlink(path);
	close_module(f);
	memcpy(f->image.link.name, "../x.de", 8);
	open_module(f, "inner/object");
	write_image(f, "x.de");
	assert_int_equal(search(f), -ENOENT);
	close_module(f);
}

static void a_reference_to_a_common_file_needs_that_file(void **state)
{
	struct fixture *f = *state;
	struct symbol_map map;

	open_module(f, "object");
	assert_int_equal(debugfile_open_alt(&map, &f->module.elf, -1, f->module.path), 0);
	assert_null(map.base);
	close_module(f);
	section(f, 3, 35, SHT_PROGBITS, offsetof(struct image, alt.name), 16);
	memcpy(f->image.alt.name, "alt.debug..", 11);
	memcpy(f->image.alt.id, ID, 4);
	open_module(f, "object");
	section(f, 3, 0, SHT_NULL, 0, 0);
	f->image.eh.e_type = ET_REL;
	f->image.eh.e_phentsize = 0;
	assert_int_equal(debugfile_open_alt(&map, &f->module.elf, -1, f->module.path), -ENOENT);
	write_image(f, "alt.debug..");
	assert_int_equal(debugfile_open_alt(&map, &f->module.elf, -1, f->module.path), 0);
	assert_non_null(map.base);
	symbol_map_release(&map);
	f->image.note.id[0] = 0;
	write_image(f, "alt.debug..");
	assert_int_equal(debugfile_open_alt(&map, &f->module.elf, -1, f->module.path), -ENOENT);
	close_module(f);
}

static int map_it(struct fixture *f, struct symbol_map *map)
{
	int fd = open(write_image(f, "mapped"), O_RDWR), err = symbol_map_open(map, fd, false);

	close(fd);
	return err;
}

static void a_file_that_lies_about_its_sections_is_not_mapped(void **state)
{
	struct fixture *f = *state;
	struct symbol_map map;

	assert_int_equal(map_it(f, &map), 0);
	symbol_map_release(&map);
	f->image.sh[1].sh_size = UINT64_MAX;
	assert_int_equal(map_it(f, &map), -ENOEXEC);
	f->image.sh[1].sh_size = sizeof(f->image.note);
	f->image.eh.e_shoff = sizeof(f->image);
	assert_int_equal(map_it(f, &map), -ENOEXEC);
	f->image.eh.e_shoff = offsetof(struct image, sh);
	section(f, 5, 0, SHT_PROGBITS, offsetof(struct image, compressed), sizeof(Elf64_Chdr));
	f->image.sh[5].sh_flags = SHF_COMPRESSED;
	f->image.compressed.ch_size = SYMBOL_MAP_INFLATE_MAX + 1;
	assert_int_equal(map_it(f, &map), -EFBIG);
	assert_null(map.base);
}

static void a_file_cut_short_reads_as_zeros_and_says_so(void **state)
{
	struct fixture *f = *state;
	struct symbol_map map;

	assert_int_equal(map_it(f, &map), 0);
	assert_false(symbol_map_broken(&map));
	assert_int_equal(truncate(f->path, 0), 0);
	assert_int_equal(map.base[100], 0);
	assert_true(symbol_map_broken(&map));
	symbol_map_release(&map);
}

static void what_anybody_may_write_to_is_copied(void **state)
{
	struct fixture *f = *state;
	struct symbol_map map;

	write_image(f, "mapped");
	assert_int_equal(chmod(f->path, 0666), 0);
	assert_int_equal(map_it(f, &map), 0);
	assert_true(map.cost >= sizeof(f->image));
	assert_int_equal(truncate(f->path, 0), 0);
	assert_int_equal(map.base[1], 'E');
	assert_false(symbol_map_broken(&map));
	symbol_map_release(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_build_id_is_looked_up_in_each_directory, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(
		a_link_is_followed_beside_the_object_if_the_build_id_is_the_same, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_has_no_build_id_must_have_the_right_sum, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(below_the_root_of_the_object_is_looked_first, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_fifo_or_a_name_with_directories_is_not_opened, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_reference_to_a_common_file_needs_that_file, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_file_that_lies_about_its_sections_is_not_mapped,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(a_file_cut_short_reads_as_zeros_and_says_so, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(what_anybody_may_write_to_is_copied, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
