/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbol_driver OBJECT - resolves the link-time addresses on standard input, one in hexadecimal on
 * each line, and prints for each its frames, innermost first, tab-separated: name, name as linked,
 * file, line; then an empty line. On standard error the time taken and the memory held.
 *
 * test/integration/test_symbols.py compares that with llvm-symbolizer's answers.
 */
#include <inttypes.h>
#include <malloc.h>
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

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print(const struct symbol_frame *frames, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%s\t%s\t%s\t%" PRId64 "\t%" PRId64 "\n", frames[i].name,
		       frames[i].system_name, frames[i].file ? frames[i].file : "??",
		       frames[i].line, frames[i].start_line);
	puts("");
}

/* Not ru_maxrss, which begins with what the parent had. */
static long peak_kb(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[128];
	long kb = 0;

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "VmHWM: %ld", &kb);
	if (status)
		fclose(status);
	return kb;
}

int main(int argc, char **argv)
{
	struct symbol_frame frames[FRAMES_MAX];
	struct maps_entry entry = {.start = 0x1000, .end = 0x2000, .exec = true, .readable = true};
	struct modules *modules = modules_new();
	double start = now();
	unsigned long n = 0;
	struct module *m;
	struct stat st;
	char line[64];

	if (argc < 2 || !modules || stat(argv[1], &st))
		return 2;
	log_init(getenv("SPANPROF_LOG_LEVEL") ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, NULL, 0);
	symbol_configure(argc > 2 ? argv[2] : "", getenv("SPANPROF_SHORTEN_TEMPLATES") != NULL);
	entry.path = argv[1];
	entry.dev = st.st_dev;
	entry.inode = st.st_ino;
	m = module_get(modules, &entry, 0);
	if (m->error)
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-m->error));
	for (; fgets(line, sizeof(line), stdin); n++)
		print(frames, symbol_resolve(m, strtoull(line, NULL, 16), frames, FRAMES_MAX));
	fprintf(stderr,
		"{\"addresses\": %lu, \"seconds\": %.3f, \"peak_kb\": %ld, \"cache\": %zu, "
		"\"sources\": %zu, \"malloc\": %zu}\n",
		n, now() - start, peak_kb(), symbol_cache_bytes(), symbol_source_bytes(),
		(size_t)mallinfo2().uordblks + (size_t)mallinfo2().hblkhd);
	modules_free(modules);
	return 0;
}
