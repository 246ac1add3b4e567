/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two libraries, opened in turns, that come to lie at one address: one's function has a small frame and
 * the other's a large one. Each is called by a function of its own, so that a stack with the one's
 * caller and the other's name is a lie. In run_unseen nobody may have looked at either; then each stays
 * until the agent has; in run_seen it knows both.
 *
 * usage: same_address CYCLES SECONDS-IN-FIRST SECONDS-IN-SECOND FIRST SECOND [unlink]
 * (libraries beside the program; with unlink they are copies, deleted as soon as they are open)
 */
#include <dlfcn.h>
#include <sys/sendfile.h>
#include <fcntl.h>
#include <libgen.h>

#include "tables.h"

typedef double burner(double seconds);

static struct {
	const char *name;
	char path[4096];
	double seconds; /* in each turn */
	double used[3]; /* by phase */
} libraries[2];
static enum { UNSEEN, AWAITING, SEEN } phase;
static int unlinked, turns, moved;
static void *last; /* where the function was in the turn before */

__attribute__((noinline, noclone)) static void call_first(burner *burn, double seconds)
{
	libraries[0].used[phase] += burn(seconds);
}

__attribute__((noinline, noclone)) static void call_second(burner *burn, double seconds)
{
	libraries[1].used[phase] += burn(seconds);
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

static void *open_library(int which)
{
	const char *path = libraries[which].path;
	char own[64];
	void *library;

	if (unlinked) {
		snprintf(own, sizeof(own), "./copy-%d.so", turns);
		copy(path, own);
		path = own;
	}
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	HOST_CHECK(library);
	if (unlinked)
		unlink(own);
	return library;
}

static void call(int which, double seconds)
{
	(which ? call_second : call_first)((burner *)last, seconds);
}

static void call_a_while(void *which)
{
	call(*(int *)which, 0.002);
}

static void turn(int which)
{
	void *library = open_library(which), *burn = dlsym(library, libraries[which].name);

	HOST_CHECK(burn);
	moved += last && burn != last;
	last = burn;
	turns++;
	if (phase == AWAITING)
		tables_await(burn, call_a_while, &which);
	else
		call(which, libraries[which].seconds);
	HOST_CHECK(dlclose(library) == 0);
}

static void run(int cycles)
{
	for (int i = 0; i < 2 * cycles; i++)
		turn(i % 2);
}

__attribute__((noinline, noclone)) static void run_unseen(int cycles)
{
	run(cycles);
	phase = AWAITING;
}

__attribute__((noinline, noclone)) static void run_seen(int cycles)
{
	phase = SEEN;
	run(cycles);
	phase = UNSEEN;
}

int main(int argc, char **argv)
{
	char *directory = dirname(strdup(argv[0]));

	unlinked = argc > 6;
	for (int i = 0; i < 2; i++) {
		libraries[i].name = argv[4 + i];
		libraries[i].seconds = atof(argv[2 + i]);
		snprintf(libraries[i].path, sizeof(libraries[i].path), "%s/lib%s.so", directory,
			 argv[4 + i]);
	}
	run_unseen(atoi(argv[1]));
	run(1);
	run_seen(atoi(argv[1]));
	printf("moved %d times\n", moved);
	for (int i = 0; i < 2; i++)
		printf("figure %s %.4f\nfigure %s_seen %.4f\n", i ? "second" : "first",
		       libraries[i].used[UNSEEN], i ? "second" : "first", libraries[i].used[SEEN]);
	host_say_cpu();
	return 0;
}
