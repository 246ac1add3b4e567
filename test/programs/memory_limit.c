/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_limit - RLIMIT_AS of 300 MB, most of it used soon after. Hazard: a profiler's sparse region
 * uses up the address space, or cannot be mapped.
 */
#include <sys/mman.h>
#include <sys/resource.h>

#include "host.h"

int main(void)
{
	struct rlimit limit = {300UL << 20, 300UL << 20};
	void *p;

	HOST_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	host_burn(0.5);
	p = mmap(NULL, 280UL << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("280 MB more: %s\n", p == MAP_FAILED ? "no" : "yes");
	host_say_cpu();
	return 0;
}
