/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file sink. A profile appears under its name complete or not at all: it is written to a
 * hidden temporary file of the same directory, which is then given its name without replacing
 * anything. The directory may belong to somebody less trusted than the agent, so every step goes
 * through one directory fd and no link planted there is followed. Context: AGENT.
 */
#include "agent/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COLLISIONS_MAX 1000 /* milliseconds to move on before giving up */
#define TEMPS_MAX 16	    /* left-overs of a killed agent with our pid to step over */
#define KIND_MAX 32

static int open_dir(const char *dir)
{
	int fd;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A service may be called anything. Its name must stay one path component, and visible in ls. */
static void sanitise(char *out, size_t cap, const char *name)
{
	size_t n = strnlen(name, cap - 1);

	/* Cut between characters, not inside one: continuation bytes of UTF-8 are 10xxxxxx. */
	while (n && name[n] && ((unsigned char)name[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];
		bool bad = c == '/' || c < 0x20 || c == 0x7f || (c == '.' && i == 0);

		out[i] = bad ? '_' : name[i];
	}
	out[n] = '\0';
	if (n == 0)
		snprintf(out, cap, "unknown");
}

static int make_temp(int dirfd, char *name, size_t cap)
{
	for (unsigned i = 0; i < TEMPS_MAX; i++) {
		int fd;

		snprintf(name, cap, ".spanprof-%d-%u.tmp", (int)getpid(), i);
		fd =
		    openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int write_all(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int write_temp(int dirfd, char *temp, size_t cap, const void *bytes, size_t n)
{
	int fd = make_temp(dirfd, temp, cap);
	int err;

	if (fd < 0)
		return fd;
	err = write_all(fd, bytes, n);
	/* Network file systems report a full disk or quota only here. */
	if (close(fd) < 0 && !err)
		err = -errno;
	if (err)
		unlinkat(dirfd, temp, 0);
	return err;
}

/* Gives temp its name and takes away the old one; -EEXIST if the name is taken. */
static int settle(int dirfd, const char *temp, const char *name)
{
	if (linkat(dirfd, temp, dirfd, name, 0) == 0) {
		unlinkat(dirfd, temp, 0);
		return 0;
	}
	if (errno == EEXIST)
		return -EEXIST;
	/* File systems without hard links (FAT, some of FUSE) can mostly do this. */
	if (renameat2(dirfd, temp, dirfd, name, RENAME_NOREPLACE) == 0)
		return 0;
	return -errno;
}

int sink_write(const char *dir, const char *service, const char *kind, uint64_t unix_ms,
	       const void *bytes, size_t n, char *path_out, size_t path_cap)
{
	char safe[SINK_SERVICE_MAX + 1], safe_kind[KIND_MAX + 1], temp[64], name[NAME_MAX + 1];
	int dirfd, err;

	sanitise(safe, sizeof(safe), service);
	sanitise(safe_kind, sizeof(safe_kind), kind);
	dirfd = open_dir(dir);
	if (dirfd < 0)
		return dirfd;
	err = write_temp(dirfd, temp, sizeof(temp), bytes, n);
	if (err)
		goto out;
	for (unsigned i = 0; i < COLLISIONS_MAX; i++) {
		snprintf(name, sizeof(name), "%s-%s-%" PRIu64 ".pb.gz", safe, safe_kind,
			 unix_ms + i);
		if (path_out &&
		    (size_t)snprintf(path_out, path_cap, "%s/%s", dir, name) >= path_cap)
			err = -ENAMETOOLONG;
		else
			err = settle(dirfd, temp, name);
		if (err != -EEXIST)
			break;
	}
	if (err)
		unlinkat(dirfd, temp, 0);
out:
	close(dirfd);
	return err;
}
