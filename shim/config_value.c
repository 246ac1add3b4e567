/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_value.c - the kinds of values that variables of the environment have. BOOT.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "shim/config_value.h"
#include "shim/feed.h"
#include "shim/log.h"
#include "shim/propagator.h"

#define CONFIG_RATE_MIN 1
#define CONFIG_RATE_MAX 1000
#define CONFIG_UPLOAD_MIN_MS 1000
#define CONFIG_UPLOAD_MAX_MS 600000
#define CONFIG_EXIT_MAX_MS 60000

static const char *read_choice(const char *value, void *field, const char *const *names,
			       const char *expected)
{
	for (uint32_t i = 0; names[i]; i++) {
		if (strcasecmp(value, names[i]) == 0) {
			*(uint32_t *)field = i;
			return NULL;
		}
	}
	return expected;
}

const char *config_read_bool(const char *value, void *field, size_t size)
{
	static const char *const off[] = {"false", "0", "no", "off", NULL};
	static const char *const on[] = {"true", "1", "yes", "on", NULL};
	uint32_t which;

	if (!read_choice(value, &which, on, "")) {
		*(uint32_t *)field = 1;
		return NULL;
	}
	if (!read_choice(value, &which, off, "")) {
		*(uint32_t *)field = 0;
		return NULL;
	}
	return "true or false";
}

const char *config_read_level(const char *value, void *field, size_t size)
{
	static const char *const names[] = {"none", "error", "warn", "info", "debug", NULL};

	return read_choice(value, field, names, "none, error, warn, info or debug");
}

const char *config_read_start(const char *value, void *field, size_t size)
{
	static const char *const names[] = {"tick", "eager", NULL};

	return read_choice(value, field, names, "tick or eager");
}

const char *config_read_switch(const char *value, void *field, size_t size)
{
	static const char *const names[] = {"auto", "on", "off", NULL};

	return read_choice(value, field, names, "auto, on or off");
}

const char *config_read_names(const char *value, void *field, size_t size)
{
	static const char *const names[] = {"route", "method", "off", NULL};

	return read_choice(value, field, names, "route, method or off");
}

static bool whole_number(const char *value, unsigned long min, unsigned long max, uint32_t *out)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*end || *value < '0' || *value > '9' || n < min || n > max)
		return false;
	*out = (uint32_t)n;
	return true;
}

const char *config_read_rate(const char *value, void *field, size_t size)
{
	return whole_number(value, CONFIG_RATE_MIN, CONFIG_RATE_MAX, field)
		       ? NULL
		       : "a whole number of Hz from 1 to 1000";
}

const char *config_read_frames(const char *value, void *field, size_t size)
{
	_Static_assert(FEED_FRAMES_MAX == 1024, "the text below says so");

	return whole_number(value, 1, FEED_FRAMES_MAX, field) ? NULL
							      : "a whole number from 1 to 1024";
}

const char *config_read_spans(const char *value, void *field, size_t size)
{
	_Static_assert(FEED_SPANS_MAX == 100000, "the text below says so");

	return whole_number(value, 1, FEED_SPANS_MAX, field) ? NULL
							     : "a whole number from 1 to 100000";
}

/* "15s", "1500ms", "1m", or seconds without a unit. */
static bool duration_ms(const char *value, unsigned long *ms)
{
	char *end;
	unsigned long n, scale;

	if (*value < '0' || *value > '9')
		return false;
	n = strtoul(value, &end, 10);
	if (strcmp(end, "ms") == 0)
		scale = 1;
	else if (!*end || strcmp(end, "s") == 0)
		scale = 1000;
	else if (strcmp(end, "m") == 0)
		scale = 60000;
	else
		return false;
	*ms = n * scale;
	return n <= CONFIG_UPLOAD_MAX_MS;
}

const char *config_read_interval(const char *value, void *field, size_t size)
{
	unsigned long ms;

	if (!duration_ms(value, &ms) || ms < CONFIG_UPLOAD_MIN_MS || ms > CONFIG_UPLOAD_MAX_MS)
		return "a duration from 1s to 10m";
	*(uint32_t *)field = (uint32_t)ms;
	return NULL;
}

const char *config_read_timeout(const char *value, void *field, size_t size)
{
	unsigned long ms;

	if (!duration_ms(value, &ms) || ms > CONFIG_EXIT_MAX_MS)
		return "a duration up to 60s";
	*(uint32_t *)field = (uint32_t)ms;
	return NULL;
}

const char *config_read_text(const char *value, void *field, size_t size)
{
	if (strlen(value) >= size)
		return "a shorter text";
	strcpy(field, value);
	return NULL;
}

const char *config_read_url(const char *value, void *field, size_t size)
{
	if (strncasecmp(value, "http://", 7) != 0 && strncasecmp(value, "https://", 8) != 0)
		return "an http:// or https:// address";
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c <= ' ')
			return "an address without spaces";
	return config_read_text(value, field, size);
}

/* Absolute from now on: the host may change directory, and the agent does. */
const char *config_read_path(const char *value, void *field, size_t size)
{
	char *to = field;
	size_t used = 0;

	if (*value != '/') {
		if (!getcwd(to, size)) {
			*to = 0;
			return "a path below a readable current directory";
		}
		used = strlen(to);
		if (used + 1 < size)
			to[used++] = '/';
	}
	if (used + strlen(value) >= size) {
		*to = 0;
		return "a shorter path";
	}
	strcpy(to + used, value);
	return NULL;
}

/* What cannot be read here is left to others, but said. */
const char *config_read_propagators(const char *value, void *field, size_t size)
{
	while (*value) {
		size_t n = strcspn(value, ", ");
		int formats = propagator_format_named(value, n);

		if (n && formats < 0)
			log_line(FEED_LOG_WARN, "OTEL_PROPAGATORS: %.*s is not known here; ignored",
				 n < 80 ? (int)n : 80, value);
		else if (n)
			*(uint32_t *)field |= (uint32_t)formats;
		value += n + (value[n] ? 1 : 0);
	}
	return NULL;
}
