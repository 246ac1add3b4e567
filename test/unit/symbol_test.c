/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/symbol.c over real objects, and agent/symbol_elf.c over tables made here symbol by symbol.
 */
#include "agent/symbol.h"
#include "agent/symbol_answer.h"
#include "agent/symbol_cache.h"
#include "agent/symbol_elf.h"
#include "agent/symbol_lines.h"
#include "agent/symbol_scope.h"
#include "agent/symbol_source.h"

#include <elf.h>
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

#define TEXT_ADDR 0x1000
#define TEXT_SIZE 0x1000
#define SYMBOLS 16
#define OBJECTS 80
#define DOTS_10 "././././././././././"
#define DOTS DOTS_10 DOTS_10 DOTS_10 DOTS_10 DOTS_10 DOTS_10 DOTS_10 DOTS_10

/* The smallest object that has a symbol table: five sections and no segment. */
struct image {
	Elf64_Ehdr eh;
	Elf64_Shdr sh[4]; /* null, .text, .symtab, .strtab */
	Elf64_Sym sym[SYMBOLS];
	char str[256];
};

struct made {
	struct image image;
	struct elf_file elf;
	struct symbol_elf table;
	size_t symbols, chars;
};

static void symbol(struct made *m, const char *name, uint64_t at, uint64_t size, int bind, int type)
{
	assert_true(m->symbols < SYMBOLS);
	m->image.sym[m->symbols++] = (Elf64_Sym){
	    .st_name = (Elf64_Word)m->chars,
	    .st_value = at,
	    .st_size = size,
	    .st_info = ELF64_ST_INFO(bind, type),
	    .st_shndx = 1,
	};
	strcpy(m->image.str + m->chars, name);
	m->chars += strlen(name) + 1;
}

static void made_init(struct made *m)
{
	memset(m, 0, sizeof(*m));
	memcpy(m->image.eh.e_ident, ELFMAG, SELFMAG);
	m->image.eh.e_ident[EI_CLASS] = ELFCLASS64;
	m->image.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	m->image.eh.e_type = ET_DYN;
	m->image.eh.e_machine = EM_X86_64;
	m->image.eh.e_phentsize = sizeof(Elf64_Phdr);
	m->image.eh.e_shoff = offsetof(struct image, sh);
	m->image.eh.e_shentsize = sizeof(Elf64_Shdr);
	m->image.eh.e_shnum = 4;
	m->image.sh[1] = (Elf64_Shdr){.sh_type = SHT_PROGBITS,
				      .sh_flags = SHF_EXECINSTR,
				      .sh_addr = TEXT_ADDR,
				      .sh_size = TEXT_SIZE};
	m->image.sh[2] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
				      .sh_link = 3,
				      .sh_offset = offsetof(struct image, sym),
				      .sh_size = sizeof(m->image.sym)};
	m->image.sh[3] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
				      .sh_offset = offsetof(struct image, str),
				      .sh_size = sizeof(m->image.str)};
	m->chars = 1;
}

static void made_load(struct made *m)
{
	assert_int_equal(elf_file_open_image(&m->elf, &m->image, sizeof(m->image)), 0);
	assert_int_equal(symbol_elf_load(&m->table, &m->elf, SHT_SYMTAB), 0);
}

static void made_release(struct made *m)
{
	symbol_elf_release(&m->table);
	elf_file_release(&m->elf);
}

static const char *name_at(struct made *m, uint64_t vaddr)
{
	const struct symbol_elf_entry *e = symbol_elf_find(&m->table, vaddr);

	return e ? symbol_elf_name(&m->table, e) : "";
}

static void an_address_in_a_gap_gets_no_neighbour(void **state)
{
	struct made m;

	made_init(&m);
	symbol(&m, "first", 0x1000, 0x10, STB_GLOBAL, STT_FUNC);
	symbol(&m, "second", 0x1020, 0x10, STB_LOCAL, STT_FUNC);
	made_load(&m);
	assert_string_equal(name_at(&m, 0x1000), "first");
	assert_string_equal(name_at(&m, 0x100f), "first");
	assert_string_equal(name_at(&m, 0x1010), "");
	assert_string_equal(name_at(&m, 0x102f), "second");
	assert_string_equal(name_at(&m, 0x1030), "");
	assert_string_equal(name_at(&m, 0xfff), "");
	made_release(&m);
}

static void a_symbol_without_size_reaches_to_the_next_or_to_the_end_of_its_section(void **state)
{
	struct made m;

	made_init(&m);
	symbol(&m, "open", 0x1000, 0, STB_GLOBAL, STT_FUNC);
	symbol(&m, "sized", 0x1100, 0x10, STB_GLOBAL, STT_FUNC);
	symbol(&m, "last", 0x1f00, 0, STB_GLOBAL, STT_FUNC);
	made_load(&m);
	assert_string_equal(name_at(&m, 0x10ff), "open");
	assert_string_equal(name_at(&m, 0x1110), "");
	assert_string_equal(name_at(&m, 0x1fff), "last");
	assert_string_equal(name_at(&m, 0x2000), "");
	made_release(&m);
}

static void a_nested_symbol_wins_inside_and_the_outer_one_behind_it(void **state)
{
	struct made m;

	made_init(&m);
	symbol(&m, "outer", 0x1000, 0x100, STB_GLOBAL, STT_FUNC);
	symbol(&m, "inner", 0x1010, 0x10, STB_LOCAL, STT_FUNC);
	symbol(&m, "inner2", 0x1030, 0x10, STB_LOCAL, STT_FUNC);
	made_load(&m);
	assert_string_equal(name_at(&m, 0x1015), "inner");
	assert_string_equal(name_at(&m, 0x1025), "outer");
	assert_string_equal(name_at(&m, 0x1035), "inner2");
	assert_string_equal(name_at(&m, 0x10ff), "outer");
	made_release(&m);
}

static void of_several_names_the_documented_one_is_shown(void **state)
{
	struct made m;

	made_init(&m);
	symbol(&m, "__read", 0x1000, 0x10, STB_GLOBAL, STT_FUNC);
	symbol(&m, "read", 0x1000, 0x10, STB_WEAK, STT_FUNC);
	symbol(&m, "a_local", 0x1000, 0x10, STB_LOCAL, STT_FUNC);
	symbol(&m, "label", 0x1100, 0x10, STB_GLOBAL, STT_NOTYPE);
	symbol(&m, "_typed", 0x1100, 0, STB_LOCAL, STT_FUNC);
	symbol(&m, "longer", 0x1200, 0x10, STB_GLOBAL, STT_FUNC);
	symbol(&m, "short", 0x1200, 0x10, STB_GLOBAL, STT_FUNC);
	symbol(&m, "clock_gettime", 0x1300, 0x10, STB_WEAK, STT_FUNC);
	symbol(&m, "__vdso_clock_gettime", 0x1300, 0x10, STB_GLOBAL, STT_FUNC);
	made_load(&m);
	assert_string_equal(name_at(&m, 0x1000), "read");
	assert_string_equal(name_at(&m, 0x1300), "__vdso_clock_gettime");
	assert_string_equal(name_at(&m, 0x1105), "_typed");
	assert_string_equal(name_at(&m, 0x1110), "");
	assert_string_equal(name_at(&m, 0x1200), "short");
	made_release(&m);
}

static void data_and_bare_labels_are_no_functions_and_versions_are_cut(void **state)
{
	struct made m;

	made_init(&m);
	symbol(&m, "table", 0x1000, 0x10, STB_GLOBAL, STT_OBJECT);
	symbol(&m, "label", 0x1020, 0, STB_GLOBAL, STT_NOTYPE);
	symbol(&m, "memcpy@@GLIBC_2.14", 0x1040, 0x10, STB_GLOBAL, STT_GNU_IFUNC);
	symbol(&m, "elsewhere", 0x9000, 0x10, STB_GLOBAL, STT_FUNC);
	made_load(&m);
	assert_string_equal(name_at(&m, 0x1000), "");
	assert_string_equal(name_at(&m, 0x1020), "");
	assert_string_equal(name_at(&m, 0x1041), "memcpy");
	assert_string_equal(name_at(&m, 0x9000), "");
	made_release(&m);
}

static struct symbol_frame resolve(struct modules *modules, const void *address)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	uint64_t pc = (uint64_t)(uintptr_t)address;
	const struct maps_entry *e;
	struct symbol_frame frame;
	struct maps maps;
	struct module *m;

	maps_init(&maps);
	assert_int_equal(maps_read_fd(&maps, fd), 0);
	close(fd);
	e = maps_find(&maps, pc);
	assert_non_null(e);
	m = module_get(modules, e, getpid());
	assert_int_equal(symbol_resolve(m, module_vaddr(m, e, pc), &frame, 1), 1);
	maps_release(&maps);
	return frame;
}

static void functions_of_the_program_and_of_libc_have_their_names(void **state)
{
	struct modules *modules = modules_new();

	assert_string_equal(resolve(modules, (const void *)(uintptr_t)resolve).name, "resolve");
	assert_string_equal(resolve(modules, (const char *)(uintptr_t)resolve + 1).name, "resolve");
	assert_string_equal(resolve(modules, (const void *)(uintptr_t)qsort_r).name, "qsort_r");
	assert_string_equal(resolve(modules, (const void *)(uintptr_t)getppid).name, "getppid");
	modules_free(modules);
}

static struct module *unopened(struct modules *modules, char *path)
{
	struct maps_entry e = {.start = 0x1000, .end = 0x2000, .inode = 1, .path = path};

	return module_get(modules, &e, 0);
}

static void an_unknown_address_is_named_by_object_and_address(void **state)
{
	struct modules *modules = modules_new();
	struct module *m = unopened(modules, (char[]){"/nowhere/libx.so"});
	struct symbol_frame frame;

	assert_int_equal(symbol_resolve(m, 0xabc, &frame, 1), 1);
	assert_string_equal(frame.name, "libx.so!0xabc");
	assert_string_equal(frame.system_name, "libx.so!0xabc");
	assert_int_equal(symbol_resolve(m, 0xabc, &frame, 0), 0);
	modules_free(modules);
}

static void names_made_of_any_number_of_addresses_stay_within_their_memory(void **state)
{
	struct modules *modules = modules_new();
	struct module *m = unopened(modules, (char[]){"/nowhere/libx.so"});
	struct symbol_frame frame;

	for (uint64_t i = 0; i < 200000; i++)
		symbol_resolve(m, 0x100000 + i, &frame, 1);
	assert_string_equal(frame.name, "libx.so!0x130d3f");
	assert_true(symbol_cache_bytes() <= SYMBOL_CACHE_BYTES);
	assert_true(symbol_cache_bytes() > SYMBOL_CACHE_BYTES / 2);
	modules_free(modules);
	assert_int_equal(symbol_cache_bytes(), 0);
	assert_int_equal(symbol_source_bytes(), 0);
}

/* This very program under many names, each with tables of its own: more than there is room for. */
static void tables_of_any_number_of_objects_stay_within_their_memory(void **state)
{
	struct maps_entry entry = {.end = 0x1000, .exec = true, .readable = true};
	struct modules *modules = modules_new();
	char own[4096], path[8192];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	size_t most = 0, grown = 0, last = 0;
	struct symbol_frame frames[4];
	struct stat st;

	assert_true(length > 0);
	own[length] = '\0';
	assert_int_equal(stat(own, &st), 0);
	entry.dev = st.st_dev;
	entry.inode = st.st_ino;
	for (int i = 0; i < OBJECTS; i++) {
		struct module *m;

		snprintf(path, sizeof(path), "/%.*s%s", 2 * i, DOTS, own + 1);
		entry.path = path;
		m = module_get(modules, &entry, 0);
		assert_int_equal(m->error, 0);
		for (uint64_t at = 0; at < m->text_size; at += 97) {
			assert_true(symbol_resolve(m, m->text_vaddr + at, frames, 4) >= 1);
			assert_true(symbol_source_bytes() <= SYMBOL_SOURCES_BYTES);
			assert_true(symbol_cache_bytes() <= SYMBOL_CACHE_BYTES);
			if (symbol_source_bytes() > last)
				grown += symbol_source_bytes() - last;
			last = symbol_source_bytes();
			most = last > most ? last : most;
		}
	}
	print_message("at most %zu bytes of %u; %zu in all\n", most, SYMBOL_SOURCES_BYTES, grown);
	assert_true(grown > SYMBOL_SOURCES_BYTES);
	assert_true(most > SYMBOL_SOURCES_BYTES / 2);
	modules_free(modules);
	assert_int_equal(symbol_source_bytes(), 0);
}

static void what_was_asked_for_last_is_kept_longest(void **state)
{
	struct symbol_frame f = {.name = "same", .system_name = "same", .file = "f.c"};
	const void *owner = &f;
	size_t n;

	for (uint64_t i = 0; symbol_cache_bytes() < SYMBOL_CACHE_BYTES - 4096; i++)
		assert_non_null(symbol_cache_add(owner, i, &f, 1));
	assert_non_null(symbol_cache_find(owner, 0, &n));
	for (uint64_t i = 0; i < 100; i++)
		assert_non_null(symbol_cache_add(owner, 1000000 + i, &f, 1));
	assert_non_null(symbol_cache_find(owner, 0, &n));
	assert_int_equal(n, 1);
	assert_null(symbol_cache_find(owner, 1, &n));
	assert_null(symbol_cache_find(&n, 0, &n));
	symbol_cache_forget(owner);
	assert_int_equal(symbol_cache_bytes(), 0);
}

static void of_ranges_within_each_other_the_innermost_is_found(void **state)
{
	struct symbol_scopes s = {0};
	uint32_t outer = symbol_scopes_add(&s, 1, SYMBOL_SCOPE_NONE);
	uint32_t inner = symbol_scopes_add(&s, 2, outer), same = symbol_scopes_add(&s, 3, inner);

	symbol_scopes_add_range(&s, same, 0x20, 0x30);
	symbol_scopes_add_range(&s, outer, 0x10, 0x80);
	symbol_scopes_add_range(&s, inner, 0x20, 0x30);
	symbol_scopes_add_range(&s, inner, 0x40, 0x50);
	symbol_scopes_add_range(&s, inner, 0x60, 0x60);
	symbol_scopes_sort(&s);
	assert_int_equal(symbol_scopes_find(&s, 0xf), SYMBOL_SCOPE_NONE);
	assert_int_equal(symbol_scopes_find(&s, 0x10), outer);
	assert_int_equal(symbol_scopes_find(&s, 0x2f), same);
	assert_int_equal(symbol_scopes_find(&s, 0x30), outer);
	assert_int_equal(symbol_scopes_find(&s, 0x4f), inner);
	assert_int_equal(symbol_scopes_find(&s, 0x60), outer);
	assert_int_equal(symbol_scopes_find(&s, 0x80), SYMBOL_SCOPE_NONE);
	symbol_scopes_release(&s);
}

static void the_last_row_before_an_address_is_its_line(void **state)
{
	struct symbol_lines l;

	assert_int_equal(symbol_lines_init(&l, 8, 2, "/src"), 0);
	assert_int_equal(symbol_lines_add_file(&l, NULL), 0);
	assert_int_equal(symbol_lines_add_file(&l, "a.c"), 0);
	symbol_lines_add(&l, 0x10, 1, 1);
	symbol_lines_add(&l, 0x10, 2, 1);
	symbol_lines_add(&l, 0x18, 2, 1);
	symbol_lines_add(&l, 0x20, 0, 1);
	symbol_lines_add(&l, 0x30, 3, 1);
	assert_int_equal(symbol_lines_trim(&l), 0);
	assert_int_equal(l.count, 3);
	assert_null(symbol_lines_find(&l, 0xf));
	assert_int_equal(symbol_lines_find(&l, 0x1f)->line, 2);
	assert_null(symbol_lines_find(&l, 0x20));
	assert_int_equal(symbol_lines_find(&l, UINT64_MAX)->line, 3);
	assert_string_equal(symbol_lines_file(&l, 1), "a.c");
	assert_null(symbol_lines_file(&l, 0));
	assert_null(symbol_lines_file(&l, UINT64_MAX));
	assert_string_equal(symbol_lines_directory(&l), "/src");
	symbol_lines_release(&l);
	assert_string_equal(symbol_lines_directory(&l), "");
}

static void strings_of_an_answer_are_measured_and_fit(void **state)
{
	struct symbol_answer *a = calloc(1, sizeof(*a));
	char *string = calloc(1, SYMBOL_ANSWER_STRING_MAX + 1);
	size_t kept = 0;

	symbol_answer_reset(a);
	assert_string_equal(symbol_answer_keep(a, "/src", "a.c"), "/src/a.c");
	assert_string_equal(symbol_answer_keep(a, "/src", "/b.c"), "/b.c");
	assert_string_equal(symbol_answer_keep(a, NULL, "a.c"), "a.c");
	assert_null(symbol_answer_keep(a, "/src", NULL));
	assert_null(symbol_answer_keep(a, "/src", ""));
	memset(string, 'x', SYMBOL_ANSWER_STRING_MAX);
	assert_null(symbol_answer_keep(a, "", string));
	string[SYMBOL_ANSWER_STRING_MAX - 1] = '\0';
	while (symbol_answer_keep(a, "/d", string))
		kept++;
	assert_int_equal(kept, SYMBOL_ANSWER_TEXT_MAX / SYMBOL_ANSWER_STRING_MAX - 1);
	assert_string_equal(symbol_answer_keep(a, "", "z"), "z");
	free(string);
	free(a);
}

/* This very test has debug information. */
static void files_and_lines_come_from_debug_information(void **state)
{
	struct modules *modules = modules_new();
	struct symbol_frame f = resolve(modules, (const void *)(uintptr_t)symbol);

	assert_string_equal(f.name, "symbol");
	assert_non_null(strstr(f.file, "test/unit/symbol_test.c"));
	assert_int_equal(f.file[0], '/');
	assert_true(f.line >= f.start_line && f.start_line > 30);
	modules_free(modules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_in_a_gap_gets_no_neighbour),
	    cmocka_unit_test(
		a_symbol_without_size_reaches_to_the_next_or_to_the_end_of_its_section),
	    cmocka_unit_test(a_nested_symbol_wins_inside_and_the_outer_one_behind_it),
	    cmocka_unit_test(of_several_names_the_documented_one_is_shown),
	    cmocka_unit_test(data_and_bare_labels_are_no_functions_and_versions_are_cut),
	    cmocka_unit_test(functions_of_the_program_and_of_libc_have_their_names),
	    cmocka_unit_test(an_unknown_address_is_named_by_object_and_address),
	    cmocka_unit_test(names_made_of_any_number_of_addresses_stay_within_their_memory),
	    cmocka_unit_test(tables_of_any_number_of_objects_stay_within_their_memory),
	    cmocka_unit_test(what_was_asked_for_last_is_kept_longest),
	    cmocka_unit_test(of_ranges_within_each_other_the_innermost_is_found),
	    cmocka_unit_test(the_last_row_before_an_address_is_its_line),
	    cmocka_unit_test(strings_of_an_answer_are_measured_and_fit),
	    cmocka_unit_test(files_and_lines_come_from_debug_information),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
