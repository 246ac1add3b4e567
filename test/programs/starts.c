/* SPDX-License-Identifier: Apache-2.0 */
/*
 * starts - starts itself anew while it works on a span that it names, by every call there is, and waits.
 * Hazard: what passes the span on must not be seen by the new program, nor make a call fail.
 *
 * usage: starts WAY TRACEPARENT; starts child ... is what is started
 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "../../shim/spanprof.h"
#include "host.h"

extern char **environ;

static char self[256], *arguments[] = {self, "child", "two words", NULL};

static int be_child(int argc, char **argv, char **envp)
{
	int seen = getenv("SPANPROF_CONTEXT") != NULL;

	for (char **e = envp; *e; e++)
		seen += strncmp(*e, "SPANPROF_CONTEXT", 16) == 0;
	for (char **e = environ; *e; e++)
		seen += strncmp(*e, "SPANPROF_CONTEXT", 16) == 0;
	for (int i = 1; i < argc; i++)
		printf("%s|", argv[i]);
	printf(" last %s; seen %d\n", getenv("LAST"), seen);
	fflush(stdout);
	host_burn(0.1);
	return 0;
}

static void replace(const char *way)
{
	const char *name = strrchr(self, '/') + 1;
	int fd = open(self, O_RDONLY | O_CLOEXEC);

	if (!strcmp(way, "execv"))
		execv(self, arguments);
	else if (!strcmp(way, "execvp"))
		execvp(name, arguments);
	else if (!strcmp(way, "execvpe"))
		execvpe(name, arguments, environ);
	else if (!strcmp(way, "execl"))
		execl(self, self, "child", "two words", (char *)NULL);
	else if (!strcmp(way, "execlp"))
		execlp(name, self, "child", "two words", (char *)NULL);
	else if (!strcmp(way, "execle"))
		execle(self, self, "child", "two words", (char *)NULL, environ);
	else if (!strcmp(way, "fexecve"))
		fexecve(fd, arguments, environ);
	else if (!strcmp(way, "execveat"))
		execveat(fd, "", arguments, environ, AT_EMPTY_PATH);
	else
		execve(self, arguments, environ);
	_exit(127);
}

static void say(const char *what, int result)
{
	printf("%s: %d %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
	fflush(stdout);
}

/* A failed exec leaves the host as it was. */
static void fail(void)
{
	char *long_one = malloc(1 << 18), *too_much[] = {long_one, NULL};

	memset(long_one, 'x', (1 << 18) - 1);
	long_one[(1 << 18) - 1] = 0;
	say("execve", execve("/nonexistent", arguments, environ));
	say("too much", execve(self, arguments, too_much));
	say("execvp", execvp("nonexistent", arguments));
	say("posix_spawn", posix_spawn(NULL, "/nonexistent", NULL, NULL, arguments, environ));
	say("no command", system(NULL));
	say("status", system("exit 3"));
	say("empty", system(""));
	say("unfinished", system("echo last line \\"));
}

static int run(const char *way)
{
	char command[300], line[256];
	int status = -1;
	FILE *stream;
	pid_t pid;

	snprintf(command, sizeof(command), "%s child 'two words'", self);
	if (!strcmp(way, "system"))
		return system(command);
	if (!strcmp(way, "popen")) {
		stream = popen(command, "r");
		while (fgets(line, sizeof(line), stream))
			fputs(line, stdout);
		return pclose(stream);
	}
	if (!strcmp(way, "posix_spawn"))
		HOST_CHECK(posix_spawn(&pid, self, NULL, NULL, arguments, environ) == 0);
	else if (!strcmp(way, "posix_spawnp"))
		HOST_CHECK(posix_spawnp(&pid, strrchr(self, '/') + 1, NULL, NULL, arguments, environ) == 0);
	else if ((pid = strcmp(way, "vfork") ? fork() : vfork()) == 0)
		replace(way);
	HOST_CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

int main(int argc, char **argv, char **envp)
{
	char path[512];

	if (!strcmp(argv[1], "child"))
		return be_child(argc, argv, envp);
	HOST_CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	snprintf(path, sizeof(path), "%.*s:/bin:/usr/bin", (int)(strrchr(self, '/') - self), self);
	setenv("PATH", path, 1);
	setenv("LAST", "is kept", 1);
	spanprof_enter(argv[2]);
	if (!strcmp(argv[1], "fail"))
		fail();
	else
		printf("status %d\n", run(argv[1]));
	spanprof_leave();
	return 0;
}
