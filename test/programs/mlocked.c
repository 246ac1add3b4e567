/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mlocked - mlockall(MCL_CURRENT | MCL_FUTURE), with or without the privilege to lock without limit.
 * Hazard: every later mapping is populated and locked at once, a profiler's region of megabytes too,
 * or cannot be made at all.
 */
#include <sys/mman.h>

#include "host.h"

static long status_kb(const char *field)
{
	char line[256];
	long kb = -1;
	FILE *f = fopen("/proc/self/status", "r");

	HOST_CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, field, strlen(field)) == 0)
			kb = atol(line + strlen(field) + 1);
	fclose(f);
	return kb;
}

int main(void)
{
	long rss, locked;

	HOST_CHECK(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	rss = status_kb("VmRSS");
	locked = status_kb("VmLck");
	host_burn(0.5);
	printf("figure rss_growth_kb %ld\n", status_kb("VmRSS") - rss);
	printf("figure locked_growth_kb %ld\n", status_kb("VmLck") - locked);
	host_say_cpu();
	return 0;
}
