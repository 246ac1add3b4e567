/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jit_file.c - opens perf maps and dumps, and feeds what they have grown by to their parsers.
 * AGENT. Anybody can put anything into /tmp: a file counts only if it is a regular one of the
 * process's own user (or root's and no secret), and for a perf map, whose name is only a number, if
 * it was written to since the process started.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/jit_file.h"
#include "agent/module_open.h"
#include "agent/proc.h"

#define JIT_CHUNK 65536		  /* bytes; more than either parser needs at once */
#define JIT_STATUS_MAX 4096	  /* bytes of /proc/PID/status */
#define JIT_SLACK_NS 2000000000LL /* what a file's time may lag by */
#define JIT_OPEN (O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)

static const char *field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? at + strlen(name) : NULL;
}

void jit_owner_read(struct jit_owner *o, pid_t pid, pid_t claimed)
{
	char path[64], text[JIT_STATUS_MAX] = "";
	const char *at, *end;
	int fd;

	/* A process of the service runs as the agent's user unless it is known better. */
	*o = (struct jit_owner){.pid = pid, .own_pid = claimed, .uid = geteuid()};
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	at = field(text, "\nUid:"); /* real, effective, saved, file system */
	if (at)
		sscanf(at, "%*u %u", &o->uid);
	at = field(text, "\nNSpid:"); /* outermost first */
	end = at ? strchr(at, '\n') : NULL;
	while (end && end > at && isdigit((unsigned char)end[-1]))
		end--;
	if (end && isdigit((unsigned char)*end))
		o->own_pid = (pid_t)atol(end);
}

static bool own_file(int fd, const struct jit_owner *o, struct stat *st)
{
	return !fstat(fd, st) && S_ISREG(st->st_mode) &&
	       (st->st_uid == o->uid || (st->st_uid == 0 && (st->st_mode & S_IROTH)));
}

/* Process numbers are used again: an older file is a predecessor's. */
static bool written_since_start(const struct stat *st, pid_t pid)
{
	struct timespec real, boot;
	int64_t age_ns, written_ns;

	if (pid <= 0)
		return true;
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	age_ns = (real.tv_sec - st->st_mtim.tv_sec) * 1000000000LL + real.tv_nsec -
		 st->st_mtim.tv_nsec - JIT_SLACK_NS;
	written_ns = boot.tv_sec * 1000000000LL + boot.tv_nsec - age_ns;
	return proc_started_before(pid, written_ns > 0 ? (uint64_t)written_ns : 0);
}

/* In the process's own root: it may live in a container, or in another mount namespace. */
static int open_in_root(const struct jit_owner *o, const char *name)
{
	struct open_how how = {.flags = JIT_OPEN, .resolve = RESOLVE_IN_ROOT};
	char root[64];
	int root_fd = -1, fd;

	snprintf(root, sizeof(root), "/proc/%d/root", (int)o->pid);
	if (o->pid > 0)
		root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0) {
		fd = open(name, JIT_OPEN);
		return fd < 0 ? -errno : fd;
	}
	fd = (int)syscall(SYS_openat2, root_fd, name, &how, sizeof(how));
	if (fd < 0 && errno == ENOSYS) /* before Linux 5.6 */
		fd = openat(root_fd, name + 1, JIT_OPEN);
	if (fd < 0)
		fd = -errno;
	close(root_fd);
	return fd;
}

int jit_open_perfmap(const struct jit_owner *o)
{
	struct stat st;
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/tmp/perf-%d.map", (int)o->own_pid);
	fd = open_in_root(o, name);
	if (fd < 0)
		return fd == -ELOOP ? -EPERM : fd;
	if (own_file(fd, o, &st) && written_since_start(&st, o->pid))
		return fd;
	close(fd);
	return -EPERM;
}

static bool is_dump(const struct maps_entry *entry)
{
	const char *name = strrchr(entry->path, '/');
	size_t digits;

	if (!entry->exec || !name || strncmp(name, "/jit-", 5) != 0)
		return false;
	digits = strspn(name + 5, "0123456789");
	return digits && !strcmp(name + 5 + digits, ".dump");
}

int jit_open_dump(const struct jit_owner *o, const struct maps *maps)
{
	struct stat st;
	int fd;

	for (size_t i = 0; i < maps->count; i++) {
		if (!is_dump(&maps->entries[i]))
			continue;
		fd = module_open(&maps->entries[i], o->pid);
		if (fd < 0)
			return fd;
		if (own_file(fd, o, &st))
			return fd;
		close(fd);
		return -EPERM;
	}
	return -ENOENT;
}

void jit_file_init(struct jit_file *f, enum jit_kind kind, int fd)
{
	*f = (struct jit_file){.kind = kind, .open = true, .fd = fd};
}

void jit_file_release(struct jit_file *f)
{
	if (f->open)
		close(f->fd);
	*f = (struct jit_file){.kind = f->kind};
}

/* How much of it there is now, or -errno. A text that was written anew need not be shorter. */
static int look(struct jit_file *f)
{
	uint64_t max = f->kind == JIT_DUMP ? JIT_DUMP_MAX : JIT_PERFMAP_MAX;
	struct stat st;
	char newline;

	if (fstat(f->fd, &st) != 0)
		return -errno;
	if ((uint64_t)st.st_size < f->size)
		return -ESTALE;
	if (f->kind == JIT_PERFMAP && f->at && !f->perfmap.skipping &&
	    (uint64_t)st.st_size > f->size &&
	    (pread(f->fd, &newline, 1, (off_t)f->at - 1) != 1 || newline != '\n'))
		return -ESTALE;
	f->size = (uint64_t)st.st_size < max ? (uint64_t)st.st_size : max;
	return 0;
}

static ssize_t feed(struct jit_file *f, const uint8_t *bytes, size_t n, struct jit_code *code)
{
	if (f->kind == JIT_DUMP)
		return jitdump_feed(&f->dump, bytes, n, f->at, code, JIT_DUMP);
	return (ssize_t)perfmap_feed(&f->perfmap, (const char *)bytes, n, f->at, code, JIT_PERFMAP);
}

int jit_file_read(struct jit_file *f, struct jit_code *code)
{
	static uint8_t chunk[JIT_CHUNK];
	size_t budget = JIT_READ_MAX;
	int error = look(f);

	while (!error && f->at < f->size && budget >= sizeof(chunk)) {
		ssize_t n = pread(f->fd, chunk, sizeof(chunk), (off_t)f->at), used;

		if (n <= 0)
			return n < 0 ? -errno : 0;
		budget -= sizeof(chunk);
		used = feed(f, chunk, (size_t)n, code);
		if (used <= 0)
			return (int)used;
		f->at += (uint64_t)used;
	}
	return error ? error : f->at < f->size;
}

ssize_t jit_file_text(const struct jit_file *f, uint64_t offset, char *text, size_t n)
{
	ssize_t got = f->open ? pread(f->fd, text, n, (off_t)offset) : -EBADF;

	return got < 0 && f->open ? -errno : got;
}
