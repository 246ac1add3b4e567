/* SPDX-License-Identifier: Apache-2.0 */
/*
 * closed_stdio - is started without descriptors 0, 1 and 2. Hazard: a profiler's descriptor becomes
 * standard output, or its messages land in a file that the host opens there.
 *
 * usage: closed_stdio RESULT-FILE
 */
#include <fcntl.h>

#include "host.h"

int main(int argc, char **argv)
{
	int fd;

	if (argc != 2)
		return 2;
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
	host_burn(0.4);
	dprintf(fd, "first %d", fd);
	dprintf(fd, " second %d", dup(fd));
	dprintf(fd, " third %d\n", dup(fd));
	dprintf(fd, "figure cpu %.4f\n", host_clock(CLOCK_PROCESS_CPUTIME_ID));
	return 0;
}
