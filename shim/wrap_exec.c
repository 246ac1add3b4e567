/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_exec.c - the calls that start another program, which works for the request that its starter
 * works on (inherit.h). APP, and vfork children, which run on their parent's memory: the copy of the
 * environment lies on the stack. libc's own system and popen start theirs by calls that pass no symbol:
 * there the shell's command carries it.
 */
#include <alloca.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shim/attribute.h"
#include "shim/inherit.h"
#include "shim/observe.h"
#include "shim/raw.h"
#include "shim/real.h"

/* Samples of this process that wait for a stretch's end would wait for ever. A vfork child has none. */
static void settle(void)
{
	if (self_state() == SELF_READY && self_page->pid == (int32_t)raw0(SYS_getpid))
		OBSERVE(attribute_waited(thread));
}

/*
 * Returns call(environment) with the context in it; and without, if that is what was too much. Each call is
 * made from the wrapper's own frame, where the copy lies.
 */
#define WITH_CONTEXT(envp, call, is_too_big)                                                         \
	do {                                                                                         \
		size_t size_ = inherit_environment_size(envp);                                       \
		char *const *with = size_ ? inherit_environment(alloca(size_), envp) : NULL;         \
		int result_ = with ? call(with) : 0;                                                 \
		if (!with || (is_too_big(result_)))                                                  \
			result_ = call(envp);                                                        \
		return result_;                                                                      \
	} while (0)

#define EXEC_TOO_BIG(result) ((result) < 0 && errno == E2BIG)
#define SPAWN_TOO_BIG(result) ((result) == E2BIG)

static int replace(const char *path, char *const argv[], char *const envp[])
{
	settle();
#define CALL(environment) REAL(execve)(path, argv, environment)
	WITH_CONTEXT(envp, CALL, EXEC_TOO_BIG);
#undef CALL
}

static int replace_found(const char *file, char *const argv[], char *const envp[])
{
	settle();
#define CALL(environment) REAL(execvpe)(file, argv, environment)
	WITH_CONTEXT(envp, CALL, EXEC_TOO_BIG);
#undef CALL
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	return replace(path, argv, envp);
}

EXPORT int execv(const char *path, char *const argv[])
{
	return replace(path, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	return replace_found(file, argv, envp);
}

EXPORT int execvp(const char *file, char *const argv[])
{
	return replace_found(file, argv, environ);
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	settle();
#define CALL(environment) REAL(fexecve)(fd, argv, environment)
	WITH_CONTEXT(envp, CALL, EXEC_TOO_BIG);
#undef CALL
}

EXPORT int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	settle();
#define CALL(environment) REAL(execveat)(fd, path, argv, environment, flags)
	WITH_CONTEXT(envp, CALL, EXEC_TOO_BIG);
#undef CALL
}

/* The first, and those up to the NULL. */
static size_t count_arguments(va_list arguments)
{
	size_t n = 1;

	while (va_arg(arguments, char *))
		n++;
	return n;
}

static void list_arguments(char **argv, const char *first, size_t n, va_list arguments)
{
	argv[0] = (char *)first;
	for (size_t i = 1; i <= n; i++)
		argv[i] = va_arg(arguments, char *);
}

/* argv of a call that names its arguments one by one, in the wrapper's own frame. */
#define LIST(argv, first, arguments)                                                                 \
	do {                                                                                         \
		size_t n_;                                                                           \
		va_start(arguments, first);                                                          \
		n_ = count_arguments(arguments);                                                     \
		va_end(arguments);                                                                   \
		argv = alloca((n_ + 1) * sizeof(char *));                                            \
		va_start(arguments, first);                                                          \
		list_arguments(argv, first, n_, arguments);                                          \
	} while (0)

EXPORT int execl(const char *path, const char *argument, ...)
{
	va_list arguments;
	char **argv;

	LIST(argv, argument, arguments);
	va_end(arguments);
	return replace(path, argv, environ);
}

EXPORT int execlp(const char *file, const char *argument, ...)
{
	va_list arguments;
	char **argv;

	LIST(argv, argument, arguments);
	va_end(arguments);
	return replace_found(file, argv, environ);
}

EXPORT int execle(const char *path, const char *argument, ...)
{
	va_list arguments;
	char **argv, *const *envp;

	LIST(argv, argument, arguments);
	envp = va_arg(arguments, char *const *);
	va_end(arguments);
	return replace(path, argv, envp);
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
#define CALL(environment) REAL(posix_spawn)(pid, path, actions, attributes, argv, environment)
	WITH_CONTEXT(envp, CALL, SPAWN_TOO_BIG);
#undef CALL
}

EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
#define CALL(environment) REAL(posix_spawnp)(pid, file, actions, attributes, argv, environment)
	WITH_CONTEXT(envp, CALL, SPAWN_TOO_BIG);
#undef CALL
}

/* The command with the context behind it, to be freed; NULL: none. */
static char *extended(const char *command)
{
	int saved = errno;
	size_t size = inherit_command_size(command, environ);
	char *room = size ? malloc(size) : NULL;

	errno = saved;
	return room ? inherit_command(room, command) : NULL;
}

EXPORT int system(const char *command)
{
	char *with = extended(command);
	int result;

	/* It may be cancelled while it waits. */
	pthread_cleanup_push(free, with);
	result = REAL(system)(with ? with : command);
	pthread_cleanup_pop(1);
	return result;
}

EXPORT FILE *popen(const char *command, const char *type)
{
	char *with = extended(command);
	FILE *stream = REAL(popen)(with ? with : command, type);

	free(with);
	return stream;
}
