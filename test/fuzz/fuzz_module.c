/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an ELF file, opened the way a mapping's file is: headers, notes, symbols, frames.
 */
#include "agent/fde.h"
#include "agent/module.h"
#include "agent/symbol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct module *m, const struct maps_entry *e)
{
	struct symbol_frame frame;
	uint64_t word;
	struct fde fde;

	for (uint64_t pc = e->start; pc < e->end; pc += 61) {
		uint64_t vaddr = module_vaddr(m, e, pc);

		if (symbol_resolve(m, vaddr, &frame, 1) != 1 || !strlen(frame.name))
			abort();
		module_read(m, vaddr, &word, sizeof(word));
		if (!fde_find(module_frames(m), vaddr, &fde) &&
		    (vaddr < fde.start || vaddr >= fde.end))
			abort();
	}
	symbol_resolve(m, m->text_vaddr, &frame, 1);
	fde_find(module_frames(m), m->text_vaddr, &fde);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct modules *modules = modules_new();
	struct maps_entry e = {.start = 0x10000, .end = 0x12000, .exec = true, .readable = true};
	char path[64];
	struct stat st;

	if (fd < 0)
		fd = memfd_create("fuzz_module", MFD_CLOEXEC);
	if (!modules || fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size ||
	    fstat(fd, &st))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	e.path = path;
	e.dev = st.st_dev;
	e.inode = st.st_ino;
	use(module_get(modules, &e, 0), &e);
	modules_free(modules);
	return 0;
}
