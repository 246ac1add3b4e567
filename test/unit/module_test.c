/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/module.c and what it opens: the test's own objects, and files that are not what they say.
 */
#include "agent/fde.h"
#include "agent/module.h"
#include "agent/symbol.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct modules *modules;
	struct maps maps;
	char dir[64], file[128];
};

static void read_own_maps(struct maps *maps)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	assert_int_equal(maps_read_fd(maps, fd), 0);
	close(fd);
}

static void copy_program(const char *to)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(to, O_RDWR | O_CREAT | O_CLOEXEC, 0700);
	char buf[65536];
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	maps_init(&f->maps);
	read_own_maps(&f->maps);
	f->modules = modules_new();
	strcpy(f->dir, "/tmp/module_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->file, sizeof(f->file), "%s/copy", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	modules_free(f->modules);
	maps_release(&f->maps);
	unlink(f->file);
	rmdir(f->dir);
	free(f);
	return 0;
}

static const struct maps_entry *entry_at(struct fixture *f, const void *address)
{
	const struct maps_entry *e = maps_find(&f->maps, (uint64_t)(uintptr_t)address);

	assert_non_null(e);
	return e;
}

/* An executable mapping of file as a maps line would describe it. */
static struct maps_entry describe(const char *file)
{
	struct maps_entry e = {.start = 0x10000, .end = 0x20000, .path = file};
	struct stat st;

	assert_int_equal(lstat(file, &st), 0);
	e.dev = st.st_dev;
	e.inode = st.st_ino;
	e.exec = e.readable = true;
	return e;
}

static int load_address(struct dl_phdr_info *info, size_t size, void *out)
{
	*(uint64_t *)out = info->dlpi_addr;
	return 1; /* the first is the program itself */
}

static void the_program_is_opened_once_and_its_addresses_lose_the_load_address(void **state)
{
	struct fixture *f = *state;
	const struct maps_entry *e = entry_at(f, describe);
	struct module *m = module_get(f->modules, e, getpid());
	uint64_t pc = (uint64_t)(uintptr_t)describe, base = 0;

	dl_iterate_phdr(load_address, &base);
	assert_int_equal(m->error, 0);
	assert_string_equal(m->name, "module_test");
	assert_true(module_vaddr(m, e, pc) == pc - base);
	assert_true(pc - base >= m->text_vaddr && pc - base < m->text_vaddr + m->text_size);
	assert_ptr_equal(module_get(f->modules, e, getpid()), m);
	assert_ptr_equal(module_get(f->modules, e, 0), m);
}

static void contents_read_by_address_are_those_in_memory(void **state)
{
	struct fixture *f = *state;
	const struct maps_entry *e = entry_at(f, describe);
	struct module *m = module_get(f->modules, e, getpid());
	uint64_t vaddr = module_vaddr(m, e, (uint64_t)(uintptr_t)describe);
	uint8_t code[16];

	assert_int_equal(module_read(m, vaddr, code, sizeof(code)), 0);
	assert_memory_equal(code, (const void *)(uintptr_t)describe, sizeof(code));
	assert_int_equal(module_read(m, UINT64_MAX - 4, code, sizeof(code)), -EIO);
}

static void a_library_has_a_build_id_and_unwind_data_for_its_functions(void **state)
{
	struct fixture *f = *state;
	const struct maps_entry *e = entry_at(f, (const void *)(uintptr_t)qsort);
	struct module *m = module_get(f->modules, e, getpid());
	uint64_t vaddr = module_vaddr(m, e, (uint64_t)(uintptr_t)qsort);
	struct fde fde;

	assert_true(strlen(m->build_id) >= 32);
	assert_int_equal(strspn(m->build_id, "0123456789abcdef"), strlen(m->build_id));
	assert_int_equal(fde_find(module_frames(m), vaddr, &fde), 0);
	assert_true(fde.start <= vaddr && vaddr < fde.end);
}

static void the_vdso_is_read_from_our_own_memory(void **state)
{
	struct fixture *f = *state;
	const void *base = (const void *)getauxval(AT_SYSINFO_EHDR);
	struct module *m;

	if (!base)
		skip();
	m = module_get(f->modules, entry_at(f, base), 1);
	assert_int_equal(m->error, 0);
	assert_string_equal(m->name, "[vdso]");
	assert_true(m->text_size);
	/* aarch64's kernel describes none of it. */
	assert_true(m->elf.machine == EM_AARCH64 ||
		    (module_frames(m)->hdr_len && module_frames(m)->len));
}

static void memory_without_a_file_is_one_nameless_module(void **state)
{
	struct fixture *f = *state;
	struct maps_entry e = {.start = 0x1000, .end = 0x2000, .path = ""};
	struct module *m = module_get(f->modules, &e, getpid());

	assert_true(m->anon);
	assert_string_equal(m->name, "[anon]");
	e.path = "[stack]";
	assert_ptr_equal(module_get(f->modules, &e, getpid()), m);
	e.path = "//anon";
	e.inode = 5;
	assert_ptr_equal(module_get(f->modules, &e, getpid()), m);
}

static void another_file_at_the_path_is_refused(void **state)
{
	struct fixture *f = *state;
	struct maps_entry e;

	copy_program(f->file);
	e = describe(f->file);
	e.inode++;
	assert_int_not_equal(module_get(f->modules, &e, getpid())->error, 0);
	assert_string_equal(module_get(f->modules, &e, getpid())->name, "copy");
}

static void another_device_is_believed_only_through_the_process_itself(void **state)
{
	struct fixture *f = *state;
	struct maps_entry e;

	copy_program(f->file);
	e = describe(f->file);
	e.dev++;
	assert_int_equal(module_get(f->modules, &e, 0)->error, -ESTALE);
	assert_int_equal(module_get(f->modules, &e, getpid())->error, 0);
}

static void a_fifo_is_not_opened(void **state)
{
	struct fixture *f = *state;
	struct maps_entry e;

	assert_int_equal(mkfifo(f->file, 0600), 0);
	e = describe(f->file);
	assert_int_not_equal(module_get(f->modules, &e, 0)->error, 0);
}

static void a_deleted_file_is_reached_through_the_mapping(void **state)
{
	struct fixture *f = *state;
	struct module *m;
	void *map;
	int fd;

	copy_program(f->file);
	fd = open(f->file, O_RDONLY | O_CLOEXEC);
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	close(fd);
	unlink(f->file);
	read_own_maps(&f->maps);
	assert_true(entry_at(f, map)->deleted);
	m = module_get(f->modules, entry_at(f, map), getpid());
	/* map_files needs CAP_CHECKPOINT_RESTORE. */
	assert_true(m->error == 0 || m->error == -EPERM || m->error == -ESTALE);
	if (m->error)
		assert_true(m->anon);
	munmap(map, 4096);
}

static void a_file_truncated_after_it_was_opened_is_only_poorer(void **state)
{
	struct fixture *f = *state;
	struct symbol_frame frame;
	struct maps_entry e;
	struct module *m;

	copy_program(f->file);
	e = describe(f->file);
	m = module_get(f->modules, &e, 0);
	assert_int_equal(m->error, 0);
	assert_int_equal(truncate(f->file, 100), 0);
	assert_int_equal(symbol_resolve(m, m->text_vaddr, &frame, 1), 1);
	assert_memory_equal(frame.name, "copy!0x", 7);
	assert_int_equal(module_frames(m)->len, 0);
}

static void a_file_that_is_no_elf_is_named_without_addresses(void **state)
{
	struct fixture *f = *state;
	struct symbol_frame frame;
	struct maps_entry e;
	struct module *m;
	int fd = open(f->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "#!/bin/sh\n", 10), 10);
	close(fd);
	e = describe(f->file);
	m = module_get(f->modules, &e, 0);
	assert_int_equal(m->error, -ENOEXEC);
	assert_int_equal(symbol_resolve(m, 0x1234, &frame, 1), 1);
	assert_string_equal(frame.name, "[copy]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_program_is_opened_once_and_its_addresses_lose_the_load_address),
	    TEST(contents_read_by_address_are_those_in_memory),
	    TEST(a_library_has_a_build_id_and_unwind_data_for_its_functions),
	    TEST(the_vdso_is_read_from_our_own_memory),
	    TEST(memory_without_a_file_is_one_nameless_module),
	    TEST(another_file_at_the_path_is_refused),
	    TEST(another_device_is_believed_only_through_the_process_itself),
	    TEST(a_fifo_is_not_opened),
	    TEST(a_deleted_file_is_reached_through_the_mapping),
	    TEST(a_file_truncated_after_it_was_opened_is_only_poorer),
	    TEST(a_file_that_is_no_elf_is_named_without_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
