/* SPDX-License-Identifier: Apache-2.0 */
/*
 * descriptors - says which descriptors, threads, children and mapped files it has after some work.
 * Hazard: a profiler that can be seen.
 */
#include <dirent.h>

#include "host.h"

static void list(const char *title, const char *path)
{
	DIR *directory = opendir(path);
	int n = 0;

	HOST_CHECK(directory);
	for (struct dirent *e; (e = readdir(directory));)
		n += e->d_name[0] != '.';
	closedir(directory);
	printf("%s %d\n", title, n);
}

static void say_descriptors(void)
{
	char path[64], target[256];

	for (int fd = 0; fd < 1024; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = 0;
		/* Pipes have numbers of their own in each run. */
		if (strchr(target, ':'))
			*strchr(target, ':') = 0;
		printf("descriptor %d %s\n", fd, target);
	}
}

static void say_file(const char *title, const char *path, int only_paths)
{
	char line[1024];
	FILE *f = fopen(path, "r");

	HOST_CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		char *text = only_paths ? strchr(line, '/') : line;

		if (text)
			printf("%s %s%s", title, text, strchr(text, '\n') ? "" : "\n");
	}
	fclose(f);
}

int main(void)
{
	char path[64];

	host_burn(0.5);
	say_descriptors();
	list("threads", "/proc/self/task");
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	say_file("child", path, 0);
	say_file("figure map", "/proc/self/maps", 1);
	host_say_cpu();
	return 0;
}
