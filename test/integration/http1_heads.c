/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_heads - reads streams from standard input (each a length in decimal, a line feed and that many
 * bytes) and prints, for each on a line, the offsets at which shim/http1.c sees heads end and how it ended up.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shim/http1.h"

int main(void)
{
	size_t n;

	while (scanf("%zu", &n) == 1 && getchar() == '\n') {
		char *s = malloc(n + 1);
		struct http1 p;
		ssize_t used = 0;

		if (fread(s, 1, n, stdin) != n)
			return 1;
		http1_init(&p);
		for (size_t at = 0; at < n; at += (size_t)used) {
			used = http1_feed(&p, s + at, n - at);
			if (used <= 0)
				break;
			printf("%zu ", at + (size_t)used);
		}
		puts(used < 0 ? "error" : "open");
		free(s);
	}
	return 0;
}
