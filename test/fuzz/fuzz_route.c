/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a request's method and path: the name is short, plain, and begins with its method. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct route *route)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/-._~:+${}*";
	const char *path = route->name + route->method;

	if (strnlen(route->name, sizeof(route->name)) == sizeof(route->name) ||
	    strspn(route->name, plain) < route->method)
		abort();
	if (!*path)
		return;
	if (*path++ != ' ' || *path != '/' || strspn(path, plain) != strlen(path) ||
	    strstr(path, "//") || strlen(path) > FEED_TARGET_SIZE * 3 / 2)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Blocks of their own sizes, so that a byte too far is seen. */
	char *method = calloc(1, FEED_METHOD_SIZE), *target = calloc(1, FEED_TARGET_SIZE);
	const uint8_t *path = size ? memchr(data, '/', size) : NULL;
	size_t n = path ? (size_t)(path - data) : size, rest = size - n;
	struct route route, again;

	memcpy(method, data, n < FEED_METHOD_SIZE ? n : FEED_METHOD_SIZE);
	if (path)
		memcpy(target, path, rest < FEED_TARGET_SIZE ? rest : FEED_TARGET_SIZE);
	route_name(&route, method, target);
	check(&route);
	/* A name's path has nothing more to hide but its own braces. */
	memset(target, 0, FEED_TARGET_SIZE);
	if (strlen(route.name) > route.method + 1 && strlen(route.name + route.method + 1) < 60) {
		strcpy(target, route.name + route.method + 1);
		route_name(&again, method, target);
		check(&again);
	}
	free(method);
	free(target);
	return 0;
}
