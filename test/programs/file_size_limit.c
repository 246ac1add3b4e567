/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_size_limit - RLIMIT_FSIZE is 0 before the first sample. Hazard: a memfd is a file, too; a
 * profiler that sizes one, or that writes a log, in the host's name has the host killed by SIGXFSZ.
 *
 * usage: file_size_limit soft|hard SECONDS
 */
#include <sys/resource.h>

#include "host.h"

int main(int argc, char **argv)
{
	struct rlimit limit;

	HOST_CHECK(argc == 3 && getrlimit(RLIMIT_FSIZE, &limit) == 0);
	limit.rlim_cur = 0;
	if (strcmp(argv[1], "hard") == 0)
		limit.rlim_max = 0;
	HOST_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	for (int i = 0; i < 20; i++) {
		host_burn(atof(argv[2]) / 20);
		HOST_CHECK(write(STDOUT_FILENO, "", 0) == 0);
	}
	puts("alive");
	host_say_cpu();
	return 0;
}
