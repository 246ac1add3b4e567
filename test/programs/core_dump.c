/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_dump - dies by abort() with a core. Hazard: a profiler's shared memory ends up in the core
 * file. Says how many bytes of such memory are not marked "dd", do not dump.
 */
#include <sys/resource.h>

#include "host.h"

static void say_dumped_regions(void)
{
	char line[512];
	int inside = 0, regions = 0, dumped = 0;
	FILE *f = fopen("/proc/self/smaps", "r");

	HOST_CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (strchr(line, '-') && strchr(line, '-') < strchr(line, ' '))
			inside = strstr(line, "memfd:spanprof") != NULL;
		if (!inside || strncmp(line, "VmFlags:", 8) != 0)
			continue;
		regions++;
		dumped += strstr(line, " dd") == NULL;
	}
	fclose(f);
	printf("figure regions %d\ndumped %d\n", regions, dumped);
}

int main(void)
{
	struct rlimit limit;

	HOST_CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	HOST_CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
	host_burn(0.3);
	say_dumped_regions();
	host_say_cpu();
	abort();
}
