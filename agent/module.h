/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF objects that client processes map, each opened once however many processes map it.
 *
 * AGENT. Modules live as long as the agent, so pointers to them and to the names they own stay
 * valid; each keeps a descriptor, because symbols are read only when a sample first needs them.
 * What is read from a file is copied: a file truncated later must not kill the agent by SIGBUS.
 */
#ifndef SPANPROF_AGENT_MODULE_H
#define SPANPROF_AGENT_MODULE_H

#include "agent/elf_file.h"
#include "agent/maps.h"

#include <sys/types.h>

#define MODULES_MAX 8192	       /* objects; any further one is shown as anonymous */
#define MODULE_ROOTS_MAX 64	       /* root directories of containers that are kept open */
#define MODULE_BUILD_ID_MAX 64	       /* bytes */
#define MODULE_FRAMES_MAX (256u << 20) /* bytes of .eh_frame; the largest browsers have 40 MB */

/* Unwind data of an object, as link-time addresses and copied bytes. Absent parts have len 0. */
struct module_frames {
	uint64_t hdr_vaddr;
	uint8_t *hdr; /* .eh_frame_hdr */
	size_t hdr_len;
	uint64_t vaddr;
	uint8_t *bytes; /* .eh_frame */
	size_t len;
	uint16_t machine; /* EM_* */
};

struct module {
	uint64_t dev, inode;
	char *path;	  /* as the process sees it; "" for anonymous memory */
	const char *name; /* last part of path, "[vdso]" or "[anon]" */
	int root;	  /* directory that path is below; -1: our own root, or not known */
	/*
	 * Why the file could not be used (-errno); such a module has no ELF. It may come to 0 when
	 * another process shows the file. Written last by the loop's thread: whoever reads 0 may
	 * read the rest, which then stays as it is.
	 */
	_Atomic int error;
	_Atomic bool anon; /* nothing but its name is known, and addresses in it mean nothing */
	char build_id[2 * MODULE_BUILD_ID_MAX + 1]; /* hexadecimal, "" when there is none */
	/* The first executable segment, for the mapping in a pprof file. */
	uint64_t text_vaddr, text_size, text_offset;
	struct elf_file elf;

	/* Private to module.c */
	struct module *next;
	pid_t tried_pid;
	int tries;
	uint8_t *image; /* of the vdso */
	struct module_frames frames;
	_Atomic bool frames_read;

	/* Owned by symbol.c, freed through the pointer so that this layer need not know it. */
	struct symbols *symbols;
	void (*symbols_free)(struct symbols *symbols);
};

struct modules;

struct modules *modules_new(void);
void modules_free(struct modules *modules);

/*
 * The object behind a mapping of process pid (<= 0: unknown, only the path is tried). Never NULL:
 * memory without a file, and whatever exceeds a bound, gets the anonymous module. That a file
 * cannot be opened is remembered (unless for want of a descriptor or memory), and tried through
 * a few other processes at most.
 */
struct module *module_get(struct modules *modules, const struct maps_entry *entry, pid_t pid);

/* A known object with that build-id, or NULL. */
const struct module *module_by_build_id(const struct modules *modules, const char *build_id);

/* Link-time (ELF virtual) address of pc, which lies in entry; the file offset without an ELF. */
uint64_t module_vaddr(const struct module *module, const struct maps_entry *entry, uint64_t pc);

/* n bytes of the file's own contents at a link-time address, or -EIO. No .bss, no relocations. */
int module_read(const struct module *module, uint64_t vaddr, void *buf, size_t n);

/* Unwind data, read on first use, by either thread; owned by the module. */
const struct module_frames *module_frames(struct module *module);

#endif
