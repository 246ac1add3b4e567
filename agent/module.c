/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of ELF objects and the few facts about each that every consumer needs.
 *
 * AGENT: called for each mapping that holds a pc, by the symbolizer, the table compiler and the
 * unwinder. Files are found by module_open.c and read by elf_file.c; symbols belong to symbol.c.
 */
#include "agent/module.h"

#include "agent/module_frames.h"
#include "agent/module_open.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODULE_BUCKETS 1024	   /* power of two */
#define MODULE_VDSO_MAX (1u << 20) /* bytes */
#define MODULE_TRIES 4		   /* processes through which a file is looked for */
#define MODULE_PAGE 4096	   /* smallest page of the architectures that we know */

struct modules {
	struct module *buckets[MODULE_BUCKETS];
	size_t count;
	struct module anon;
	int roots[MODULE_ROOTS_MAX];
	size_t root_count;
};

struct modules *modules_new(void)
{
	struct modules *modules = calloc(1, sizeof(*modules));

	if (!modules)
		return NULL;
	modules->anon.name = "[anon]";
	modules->anon.path = "";
	modules->anon.anon = true;
	modules->anon.root = -1;
	modules->anon.elf.fd = -1;
	return modules;
}

static void module_release(struct module *m)
{
	if (m->symbols_free)
		m->symbols_free(m->symbols);
	elf_file_release(&m->elf);
	free(m->image);
	module_frames_release(&m->frames);
}

void modules_free(struct modules *modules)
{
	if (!modules)
		return;
	for (size_t i = 0; i < MODULE_BUCKETS; i++) {
		for (struct module *m = modules->buckets[i], *next; m; m = next) {
			next = m->next;
			module_release(m);
			free(m->path);
			free(m);
		}
	}
	module_release(&modules->anon);
	while (modules->root_count)
		close(modules->roots[--modules->root_count]);
	free(modules);
}

static size_t bucket_of(const struct maps_entry *e)
{
	uint64_t h = 0xcbf29ce484222325u ^ e->inode ^ (e->dev << 32);

	for (const char *p = e->path; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u; /* FNV-1a */
	return (size_t)((h ^ h >> 29) % MODULE_BUCKETS);
}

static bool is_vdso(const struct maps_entry *entry)
{
	return !strcmp(entry->path, "[vdso]");
}

/* Every process of one kernel and architecture has the same vdso, so our own serves for all. */
static int open_vdso(struct module *m)
{
	uint64_t base = getauxval(AT_SYSINFO_EHDR);
	const struct maps_entry *own;
	struct maps maps;
	int fd, err;

	fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	maps_init(&maps);
	err = maps_read_fd(&maps, fd);
	close(fd);
	own = err || !base ? NULL : maps_find(&maps, base);
	if (!own || own->start != base || !own->readable || own->end - base > MODULE_VDSO_MAX) {
		err = err ? err : -ENOENT;
		goto out;
	}
	m->image = malloc(own->end - base);
	if (!m->image) {
		err = -ENOMEM;
		goto out;
	}
	memcpy(m->image, (const void *)(uintptr_t)base, own->end - base);
	err = elf_file_open_image(&m->elf, m->image, own->end - base);
out:
	maps_release(&maps);
	return err;
}

static void describe(struct module *m)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t id[MODULE_BUILD_ID_MAX];
	size_t n = elf_file_build_id(&m->elf, id, sizeof(id));

	for (size_t i = 0; i < n; i++) {
		m->build_id[2 * i] = hex[id[i] >> 4];
		m->build_id[2 * i + 1] = hex[id[i] & 15];
	}
	for (size_t i = 0; i < m->elf.nsegments; i++) {
		const struct elf_file_segment *s = &m->elf.segments[i];

		if (s->type != PT_LOAD || !(s->flags & PF_X))
			continue;
		m->text_vaddr = s->vaddr;
		m->text_size = s->memsz;
		m->text_offset = s->offset;
		break;
	}
}

/* The objects of a container share one descriptor of its root. Takes fd over. */
static int keep_root(struct modules *modules, int fd)
{
	struct stat st, other;

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < modules->root_count && !fstat(fd, &st); i++) {
		if (fstat(modules->roots[i], &other) || other.st_dev != st.st_dev ||
		    other.st_ino != st.st_ino)
			continue;
		close(fd);
		return modules->roots[i];
	}
	if (modules->root_count == MODULE_ROOTS_MAX) {
		close(fd);
		return -1;
	}
	modules->roots[modules->root_count++] = fd;
	return fd;
}

/* 0, also for a file that cannot be used; -errno when trying again later may help. */
static int open_object(struct modules *modules, struct module *m, const struct maps_entry *entry,
		       pid_t pid)
{
	int fd, root, error;

	if (is_vdso(entry)) {
		error = open_vdso(m);
	} else {
		fd = module_open_root(entry, pid, &root);
		m->root = keep_root(modules, root);
		error = fd < 0 ? fd : elf_file_open(&m->elf, fd);
	}
	if (!error)
		describe(m);
	/* A JIT's memory file: its addresses say no more than those of anonymous memory. */
	m->anon = error == -ENOEXEC || (error && entry->deleted);
	m->error = error;
	if (error == -EMFILE || error == -ENFILE || error == -ENOMEM)
		return error;
	m->tried_pid = pid;
	m->tries++;
	return 0;
}

/* The process that failed to show a file may have been ending; the next one need not be. */
static void try_again(struct modules *modules, struct module *m, const struct maps_entry *entry,
		      pid_t pid)
{
	if (m->error && m->error != -ENOEXEC && m->tries < MODULE_TRIES && pid != m->tried_pid)
		open_object(modules, m, entry, pid);
}

static struct module *module_new(struct modules *modules, const struct maps_entry *entry,
				 pid_t pid)
{
	struct module *m = calloc(1, sizeof(*m));
	const char *slash;

	if (!m)
		return NULL;
	m->elf.fd = m->root = -1;
	m->dev = entry->dev;
	m->inode = entry->inode;
	m->path = strdup(entry->path);
	if (!m->path || open_object(modules, m, entry, pid)) {
		module_release(m);
		free(m->path);
		free(m);
		return NULL;
	}
	slash = strrchr(m->path, '/');
	m->name = slash && slash[1] ? slash + 1 : m->path;
	return m;
}

struct module *module_get(struct modules *modules, const struct maps_entry *entry, pid_t pid)
{
	struct module **bucket, *m;

	if (!is_vdso(entry) && (entry->path[0] != '/' || entry->path[1] == '/' || !entry->inode))
		return &modules->anon;
	bucket = &modules->buckets[bucket_of(entry)];
	for (m = *bucket; m; m = m->next) {
		if (m->inode == entry->inode && m->dev == entry->dev &&
		    !strcmp(m->path, entry->path)) {
			try_again(modules, m, entry, pid);
			return m;
		}
	}
	if (modules->count >= MODULES_MAX)
		return &modules->anon;
	m = module_new(modules, entry, pid);
	if (!m)
		return &modules->anon;
	m->next = *bucket;
	*bucket = m;
	modules->count++;
	return m;
}

const struct module *module_by_build_id(const struct modules *modules, const char *build_id)
{
	for (size_t i = 0; i < MODULE_BUCKETS; i++)
		for (const struct module *m = modules->buckets[i]; m; m = m->next)
			if (!m->error && strcmp(m->build_id, build_id) == 0)
				return m;
	return NULL;
}

/*
 * Two segments may share a page of the file, which is then mapped twice; the mapping's own
 * permission tells which of them this one is. A mapping is whole pages: page is the size to which
 * a segment is widened, 1 for its own bytes alone.
 */
static const struct elf_file_segment *segment_at(const struct module *m, uint64_t offset, bool exec,
						 uint64_t page)
{
	for (size_t i = 0; i < m->elf.nsegments; i++) {
		const struct elf_file_segment *s = &m->elf.segments[i];
		uint64_t first = s->offset / page * page;
		uint64_t end = (s->offset + s->filesz + page - 1) / page * page;

		if (s->type == PT_LOAD && !(s->flags & PF_X) == !exec && offset >= first &&
		    offset < end)
			return s;
	}
	return NULL;
}

uint64_t module_vaddr(const struct module *module, const struct maps_entry *entry, uint64_t pc)
{
	uint64_t offset = pc - entry->start + entry->offset;
	const struct elf_file_segment *s = segment_at(module, offset, entry->exec, 1);

	if (!s)
		s = segment_at(module, offset, !entry->exec, 1);
	if (!s)
		s = segment_at(module, offset, entry->exec, MODULE_PAGE);
	return s ? offset - s->offset + s->vaddr : offset;
}

int module_read(const struct module *module, uint64_t vaddr, void *buf, size_t n)
{
	for (size_t i = 0; i < module->elf.nsegments; i++) {
		const struct elf_file_segment *s = &module->elf.segments[i];
		uint64_t at = vaddr - s->vaddr;

		if (s->type == PT_LOAD && vaddr >= s->vaddr && at < s->filesz &&
		    n <= s->filesz - at)
			return elf_file_read(&module->elf, s->offset + at, buf, n);
	}
	return -EIO;
}

/* The loop walks by them while the encoder looks for where a nameless function begins. */
const struct module_frames *module_frames(struct module *module)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	if (atomic_load_explicit(&module->frames_read, memory_order_acquire) || module->error ||
	    module->anon)
		return &module->frames;
	pthread_mutex_lock(&lock);
	if (!module->frames_read) {
		module_frames_read(module, &module->frames);
		atomic_store_explicit(&module->frames_read, true, memory_order_release);
	}
	pthread_mutex_unlock(&lock);
	return &module->frames;
}
