/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two libraries, opened in turns, that come to lie at one address: one's function has a small frame and
 * the other's a large one. Each is called by a function of its own, so that a stack with the one's
 * caller and the other's name is a lie.
 *
 * usage: same_address CYCLES SECONDS-IN-FIRST SECONDS-IN-SECOND FIRST SECOND [unlink]
 * (libraries beside the program; with unlink they are copies, deleted as soon as they are open)
 */
#include <dlfcn.h>
#include <sys/sendfile.h>
#include <fcntl.h>
#include <libgen.h>

#include "host.h"

typedef double burner(double seconds);

static double used[2];

__attribute__((noinline, noclone)) static void call_first(burner *burn, double seconds)
{
	used[0] += burn(seconds);
}

__attribute__((noinline, noclone)) static void call_second(burner *burn, double seconds)
{
	used[1] += burn(seconds);
}

static void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0755);

	HOST_CHECK(in >= 0 && out >= 0);
	while (sendfile(out, in, NULL, 1 << 20) > 0)
		;
	close(in);
	close(out);
}

static void *open_library(const char *path, int turn, int unlinked)
{
	char own[64];
	void *library;

	if (unlinked) {
		snprintf(own, sizeof(own), "./copy-%d.so", turn);
		copy(path, own);
		path = own;
	}
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	HOST_CHECK(library);
	if (unlinked)
		unlink(own);
	return library;
}

int main(int argc, char **argv)
{
	int cycles = atoi(argv[1]), moved = 0;
	char path[2][4096], name[64], *directory = dirname(strdup(argv[0]));
	void *last = NULL;

	for (int i = 0; i < 2; i++)
		snprintf(path[i], sizeof(path[i]), "%s/lib%s.so", directory, argv[4 + i]);
	for (int turn = 0; turn < 2 * cycles; turn++) {
		int which = turn % 2;
		void *library = open_library(path[which], turn, argc > 6);
		burner *burn;

		snprintf(name, sizeof(name), "%s", argv[4 + which]);
		*(void **)&burn = dlsym(library, name);
		HOST_CHECK(burn);
		moved += last && (void *)burn != last;
		last = (void *)burn;
		(which ? call_second : call_first)(burn, atof(argv[2 + which]));
		HOST_CHECK(dlclose(library) == 0);
	}
	printf("moved %d times\n", moved);
	printf("figure first %.4f\nfigure second %.4f\n", used[0], used[1]);
	host_say_cpu();
	return 0;
}
