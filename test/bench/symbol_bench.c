/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbol_bench OBJECT [ADDRESSES] - names addresses all over OBJECT's code, first of an object that
 * nobody asked about yet, then the same again, and says what that took: CPU time, and memory by the
 * symbolizer's own count and the kernel's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/log.h"
#include "agent/symbol.h"
#include "agent/symbol_cache.h"
#include "agent/symbol_source.h"

#define FRAMES_MAX 64
#define SCATTER 2654435761u /* a prime: no address comes twice */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Not ru_maxrss, which begins with what the parent had. */
static double status_mib(const char *key)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[128];
	double mib = 0;

	while (status && fgets(line, sizeof(line), status))
		if (!strncmp(line, key, strlen(key)))
			mib = atof(line + strlen(key) + 1) / 1024;
	if (status)
		fclose(status);
	return mib;
}

static double pass(struct module *m, const uint64_t *addresses, size_t n, size_t *frames)
{
	struct symbol_frame out[FRAMES_MAX];
	double begun = now();

	*frames = 0;
	for (size_t i = 0; i < n; i++)
		*frames += symbol_resolve(m, addresses[i], out, FRAMES_MAX);
	return now() - begun;
}

int main(int argc, char **argv)
{
	struct maps_entry entry = {.start = 0x1000, .end = 0x2000, .exec = true, .readable = true};
	size_t n = argc > 2 ? (size_t)atol(argv[2]) : 20000, frames;
	struct modules *modules = modules_new();
	uint64_t *addresses = calloc(n, sizeof(*addresses));
	double cold, warm, before;
	struct module *m;
	struct stat st;

	if (argc < 2 || !modules || !addresses || stat(argv[1], &st))
		return 2;
	log_init(LOG_LEVEL_WARN, NULL, 0);
	symbol_configure("", false);
	entry.path = argv[1];
	entry.dev = st.st_dev;
	entry.inode = st.st_ino;
	m = module_get(modules, &entry, 0);
	if (m->error)
		return 2;
	n = n < m->text_size ? n : m->text_size;
	for (size_t i = 0; i < n; i++)
		addresses[i] = m->text_vaddr + i * SCATTER % m->text_size;
	before = status_mib("VmRSS:");
	cold = pass(m, addresses, n, &frames);
	warm = pass(m, addresses, n, &frames);
	printf("%zu addresses, %zu frames: cold %.0f a CPU second (%.3f s), again %.0f; %zu bytes a cached "
	       "address, %.1f MiB counted, RSS at most %.1f MiB, %.1f before, mapped files included\n",
	       n, frames, (double)n / cold, cold, (double)n / warm, symbol_cache_bytes() / n,
	       (double)(symbol_cache_bytes() + symbol_source_bytes()) / (1 << 20),
	       status_mib("VmHWM:"), before);
	modules_free(modules);
	free(addresses);
	return 0;
}
