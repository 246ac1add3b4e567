/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fd_table_full - RLIMIT_NOFILE is reached before the first sample. Hazard: whatever a profiler opens
 * in the host fails, or takes the one descriptor that the host frees.
 */
#include <fcntl.h>
#include <sys/resource.h>

#include "host.h"

static int open_all(void)
{
	int n = 0;

	while (open("/dev/null", O_RDONLY) >= 0)
		n++;
	HOST_CHECK(errno == EMFILE);
	return n;
}

int main(void)
{
	struct rlimit limit = {20, 20};
	int n;

	HOST_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	n = open_all();
	printf("opened %d\n", n);
	host_burn(0.5);
	printf("opened %d more\n", open_all());
	close(10);
	host_burn(0.1);
	printf("got %d back\n", open("/dev/null", O_RDONLY));
	host_say_cpu();
	return 0;
}
