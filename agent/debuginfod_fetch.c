/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debuginfod_fetch.c - runs this very program again for one fetch, and is that fetch. AGENT: called by
 * debuginfod.c, and by main.c in the new process. The sole user of libdebuginfod, which knows the
 * cache's layout, its negative entries and what users set for it; it is loaded here and nowhere else,
 * since it brings a libcurl of its own and waits as long as a server likes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <elfutils/debuginfod.h>

#include "agent/debuginfod_fetch.h"

#define FETCH_LIBRARY "libdebuginfod.so.1"
#define FETCH_STATUS_LIBRARY 127 /* it is not installed; others are error numbers */

extern char **environ;

static int spawn(pid_t *pid, int out, const char *build_id)
{
	char *argv[] = {"spanprof-agent", DEBUGINFOD_FETCH, (char *)build_id, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	error = posix_spawn(pid, "/proc/self/exe", &files, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return -error;
}

int debuginfod_spawn(struct debuginfod_child *child, const char *build_id)
{
	int ends[2], error;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	error = spawn(&child->pid, ends[1], build_id);
	close(ends[1]);
	if (error) {
		close(ends[0]);
		child->pid = 0;
		return error;
	}
	child->out = ends[0];
	return 0;
}

/* A path fits the pipe, so the child never waits for us and all of it is there at its end. */
int debuginfod_reap(struct debuginfod_child *child, char path[PATH_MAX])
{
	int status;
	pid_t pid = waitpid(child->pid, &status, WNOHANG);
	ssize_t n;

	if (pid == 0)
		return -EAGAIN;
	n = read(child->out, path, PATH_MAX - 1);
	close(child->out);
	child->pid = 0;
	path[n > 0 ? n : 0] = '\0';
	if (pid < 0 || !WIFEXITED(status))
		return -EPIPE;
	if (WEXITSTATUS(status) == FETCH_STATUS_LIBRARY)
		return -ELIBACC;
	if (WEXITSTATUS(status))
		return -WEXITSTATUS(status);
	return path[0] == '/' ? 0 : -EPROTO;
}

void debuginfod_kill(struct debuginfod_child *child)
{
	if (!child->pid)
		return;
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	close(child->out);
	child->pid = 0;
}

/* The loop gives up after a minute anyway; before that the library shall, and leave its cache tidy. */
static void set_bounds(void)
{
	struct rlimit size = {DEBUGINFOD_FILE_BYTES, DEBUGINFOD_FILE_BYTES};
	struct rlimit none = {0, 0};
	char bytes[32];

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &size);
	setrlimit(RLIMIT_CORE, &none);
	setpriority(PRIO_PROCESS, 0, DEBUGINFOD_NICE);
	snprintf(bytes, sizeof(bytes), "%llu", DEBUGINFOD_FILE_BYTES);
	setenv("DEBUGINFOD_TIMEOUT", "20", 0);
	setenv("DEBUGINFOD_MAXTIME", "55", 0);
	setenv("DEBUGINFOD_MAXSIZE", bytes, 0);
	unsetenv("DEBUGINFOD_PROGRESS");
	unsetenv("DEBUGINFOD_VERBOSE");
}

static int find(const char *build_id, char **path)
{
	void *library = dlopen(FETCH_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	__typeof__(&debuginfod_begin) begin;
	__typeof__(&debuginfod_find_debuginfo) find_debuginfo;
	debuginfod_client *client;
	int fd;

	if (!library)
		return -ELIBACC;
	*(void **)&begin = dlsym(library, "debuginfod_begin");
	*(void **)&find_debuginfo = dlsym(library, "debuginfod_find_debuginfo");
	client = begin && find_debuginfo ? begin() : NULL;
	if (!client)
		return -ELIBACC;
	/* A length of 0: the build-id is text. The process ends soon: nothing is given back. */
	fd = find_debuginfo(client, (const unsigned char *)build_id, 0, path);
	return fd < 0 ? fd : 0;
}

int debuginfod_fetch(const char *build_id)
{
	char *path = NULL;
	pid_t parent = getppid();
	int error;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "spanprof-fetch");
	if (getppid() != parent || parent == 1)
		return EPIPE;
	set_bounds();
	error = find(build_id, &path);
	if (error == -ELIBACC)
		return FETCH_STATUS_LIBRARY;
	if (error)
		return -error < FETCH_STATUS_LIBRARY ? -error : EIO;
	return path && write(STDOUT_FILENO, path, strlen(path)) > 0 ? 0 : EIO;
}
