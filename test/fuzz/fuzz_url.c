/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a server's address: what is accepted has a scheme and a host, no user, and comes out the
 * same when it is split again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *host(const struct url *url)
{
	if (!strncmp(url->base, "http://", 7))
		return url->base + 7;
	if (!strncmp(url->base, "https://", 8))
		return url->base + 8;
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct url *url = malloc(sizeof(*url)), *again = malloc(sizeof(*again));
	char *text = malloc(size + 1);

	if (!url || !again || !text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (!url_parse(url, text)) {
		size_t authority = strcspn(host(url), "/");

		if (!authority || memchr(host(url), '@', authority) || strpbrk(url->base, " ?#\r\n"))
			abort();
		if (!url->has_user && (*url->user || *url->password))
			abort();
		if (url_parse(again, url->base) || again->has_user || strcmp(url->base, again->base))
			abort();
	}
	free(text);
	free(again);
	free(url);
	return 0;
}
