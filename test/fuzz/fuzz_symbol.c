/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an object's debug information: mapped, indexed and asked through symbol_resolve, for
 * addresses all over its code. The first byte says whether the file is mapped or copied.
 */
#include "agent/module.h"
#include "agent/symbol.h"
#include "agent/symbol_cache.h"
#include "agent/symbol_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRAMES 64
#define QUESTIONS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct module *m, uint64_t vaddr)
{
	struct symbol_frame frames[FRAMES];
	size_t n = symbol_resolve(m, vaddr, frames, FRAMES);

	if (!n || n > FRAMES)
		abort();
	for (size_t i = 0; i < n; i++)
		if (!strlen(frames[i].name) || !strlen(frames[i].system_name) ||
		    (frames[i].file && !strlen(frames[i].file)) || frames[i].line < 0)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct modules *modules = modules_new();
	struct maps_entry e = {.start = 0x10000, .end = 0x12000, .exec = true, .readable = true};
	char path[64];
	struct stat st;
	struct module *m;

	if (fd < 0)
		fd = memfd_create("fuzz_symbol", MFD_CLOEXEC);
	if (!size)
		return modules_free(modules), 0;
	if (!modules || fd < 0 || ftruncate(fd, 0) ||
	    pwrite(fd, data + 1, size - 1, 0) != (ssize_t)size - 1 ||
	    fchmod(fd, data[0] & 1 ? 0666 : 0600) || fstat(fd, &st))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	e.path = path;
	e.dev = st.st_dev;
	e.inode = st.st_ino;
	m = module_get(modules, &e, 0);
	for (uint64_t i = 0; i < QUESTIONS; i++)
		ask(m, m->text_vaddr + i * (m->text_size / QUESTIONS + 1));
	modules_free(modules);
	if (symbol_cache_bytes() || symbol_source_bytes())
		abort();
	return 0;
}
