/* SPDX-License-Identifier: Apache-2.0 */
/* A CGI program that burns as its query says. */
#include <stdio.h>
#include <stdlib.h>

#include "burn.h"

int main(void)
{
	const char *query = getenv("QUERY_STRING");
	unsigned n, us;

	if (query && sscanf(query, "n=%u&us=%u", &n, &us) == 2)
		burn(n, us);
	printf("Content-Type: text/plain\r\nContent-Length: 5\r\n\r\ndone\n");
	return 0;
}
