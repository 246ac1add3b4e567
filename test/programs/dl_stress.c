/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that open a library, use CPU time in it and close it, over and over; some libraries are open
 * in several threads at once, and most addresses see many of them.
 *
 * usage: dl_stress THREADS CYCLES SECONDS-IN-EACH (cycles are of all threads together)
 */
#include <dlfcn.h>
#include <libgen.h>
#include <pthread.h>
#include <stdatomic.h>

#include "host.h"

#define LIBRARIES 8
#define THREADS_MAX 64

typedef double burner(double seconds);

static const char *directory;
static double seconds;
static int cycles;
static _Atomic int next, done;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static double used[LIBRARIES];

static void cycle(int which)
{
	char path[4096], name[32];
	double cpu;
	void *library;
	burner *burn;

	snprintf(path, sizeof(path), "%s/libburn_%d.so", directory, which);
	snprintf(name, sizeof(name), "burn_%d", which);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	HOST_CHECK(library);
	HOST_CHECK(strcmp(dlsym(library, "burner_name"), name) == 0);
	*(void **)&burn = dlsym(library, name);
	cpu = burn(seconds);
	HOST_CHECK(dlclose(library) == 0);
	pthread_mutex_lock(&lock);
	used[which] += cpu;
	pthread_mutex_unlock(&lock);
	atomic_fetch_add(&done, 1);
}

static void *work(void *arg)
{
	unsigned seed = (unsigned)(size_t)arg;

	while (atomic_fetch_add(&next, 1) < cycles)
		cycle(rand_r(&seed) % LIBRARIES);
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = atoi(argv[1]);
	pthread_t all[THREADS_MAX];

	directory = dirname(strdup(argv[0]));
	cycles = atoi(argv[2]);
	seconds = atof(argv[3]);
	for (int i = 0; i < threads; i++)
		HOST_CHECK(!pthread_create(&all[i], NULL, work, (void *)(size_t)(i + 1)));
	for (int i = 0; i < threads; i++)
		pthread_join(all[i], NULL);
	for (int i = 0; i < LIBRARIES; i++)
		printf("figure burn_%d %.4f\n", i, used[i]);
	printf("%d cycles\n", done);
	host_say_cpu();
	return 0;
}
