/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the file behind a mapping, in this order: its path; its path inside the process's root
 * directory; the mapping itself (/proc/PID/map_files, which works for deleted files but needs a
 * capability); /proc/PID/exe (a deleted main program, without one).
 *
 * AGENT: called by module.c, once for each object.
 */
#include "agent/module_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MODULE_OPEN_PATH_MAX 64 /* our own /proc paths */

/*
 * Some file systems (btrfs, overlayfs) report another device in maps than in stat. The inode
 * alone is believed only of files reached through the process's own /proc directory.
 */
enum trust {
	DEV_AND_INODE,
	INODE_ALONE,
};

static bool same_file(int fd, const struct maps_entry *entry, enum trust trust)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_ino == entry->inode &&
	       (st.st_dev == entry->dev || trust == INODE_ALONE);
}

/*
 * Opening a FIFO blocks and opening a device can act, so a check comes first, on a descriptor
 * that is only a name; this second open follows that very name and cannot reach another file.
 */
static int reopen(int path_fd)
{
	char self[MODULE_OPEN_PATH_MAX];
	int fd;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Takes the O_PATH descriptor over. */
static int check_and_reopen(int path_fd, const struct maps_entry *entry, enum trust trust)
{
	int fd;

	if (path_fd < 0)
		return path_fd;
	fd = same_file(path_fd, entry, trust) ? reopen(path_fd) : -ESTALE;
	close(path_fd);
	return fd;
}

static int open_name(const char *path, const struct maps_entry *entry, enum trust trust)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	return check_and_reopen(fd < 0 ? -errno : fd, entry, trust);
}

/* Absolute symbolic links inside a container must not lead out of it: resolve in its root. */
static int name_in_root(int root_fd, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int open_in_root(const struct maps_entry *entry, pid_t pid, int *root_fd)
{
	char root[MODULE_OPEN_PATH_MAX];
	int fd;

	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	*root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*root_fd < 0)
		return -errno;
	fd = name_in_root(*root_fd, entry->path);
	if (fd == -ENOSYS) { /* before Linux 5.6; the inode check still holds */
		fd = openat(*root_fd, entry->path + 1, O_PATH | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	fd = check_and_reopen(fd, entry, INODE_ALONE);
	if (fd < 0) {
		close(*root_fd);
		*root_fd = -1;
	}
	return fd;
}

static int open_mapping(const struct maps_entry *entry, pid_t pid)
{
	char path[MODULE_OPEN_PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)pid,
		 (unsigned long long)entry->start, (unsigned long long)entry->end);
	fd = open_name(path, entry, INODE_ALONE);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return open_name(path, entry, INODE_ALONE);
}

int module_open_root(const struct maps_entry *entry, pid_t pid, int *root)
{
	int fd = -ENOENT;

	*root = -1;
	if (entry->path[0] != '/' || !entry->inode)
		return -ENOENT;
	if (!entry->deleted) {
		fd = open_name(entry->path, entry, DEV_AND_INODE);
		if (fd < 0 && pid > 0)
			fd = open_in_root(entry, pid, root);
	}
	if (fd < 0 && pid > 0) {
		int mapped = open_mapping(entry, pid);

		/* The first error says more than "no capability for map_files". */
		fd = mapped >= 0 || entry->deleted ? mapped : fd;
	}
	return fd;
}

int module_open(const struct maps_entry *entry, pid_t pid)
{
	int root, fd = module_open_root(entry, pid, &root);

	if (root >= 0)
		close(root);
	return fd;
}

int module_open_beside(int root, const char *path)
{
	int path_fd, fd = -ESTALE;
	struct stat st;

	if (path[0] != '/')
		return -EINVAL;
	path_fd = root < 0 ? open(path, O_PATH | O_CLOEXEC) : name_in_root(root, path);
	if (path_fd < 0)
		return root < 0 ? -errno : path_fd;
	if (!fstat(path_fd, &st) && S_ISREG(st.st_mode))
		fd = reopen(path_fd);
	close(path_fd);
	return fd;
}
