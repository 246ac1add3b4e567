/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader's lock and the program's own, always taken in the order loader, own: one thread goes through
 * the loaded objects and takes its own lock for each of them; another uses CPU time while it holds that
 * lock; a third opens and closes a library. Whoever takes the loader's lock in a signal handler takes
 * the two in the other order.
 *
 * usage: dl_lock SECONDS
 */
#include <dlfcn.h>
#include <libgen.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>

#include "host.h"

static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int stop;
static char path[4096];

static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
	pthread_mutex_lock(&own);
	++*(unsigned long *)arg;
	pthread_mutex_unlock(&own);
	return 0;
}

static void *list(void *arg)
{
	while (!atomic_load(&stop))
		dl_iterate_phdr(visit, arg);
	return NULL;
}

static void *hold(void *arg)
{
	while (!atomic_load(&stop)) {
		pthread_mutex_lock(&own);
		host_burn(0.002);
		pthread_mutex_unlock(&own);
		host_sleep(0.0005);
		++*(unsigned long *)arg;
	}
	return NULL;
}

static void *load(void *arg)
{
	while (!atomic_load(&stop)) {
		void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		double (*burn)(double);

		HOST_CHECK(library);
		*(void **)&burn = dlsym(library, "burn_2");
		burn(0.001);
		HOST_CHECK(dlclose(library) == 0);
		++*(unsigned long *)arg;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	void *(*const work[])(void *) = {list, hold, load};
	unsigned long turns[3] = {0};
	pthread_t threads[3];

	snprintf(path, sizeof(path), "%s/libburn_2.so", dirname(strdup(argv[0])));
	for (int i = 0; i < 3; i++)
		HOST_CHECK(!pthread_create(&threads[i], NULL, work[i], &turns[i]));
	host_sleep(atof(argv[1]));
	atomic_store(&stop, 1);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 3; i++)
		HOST_CHECK(turns[i]);
	puts("all went on");
	host_say_cpu();
	return 0;
}
