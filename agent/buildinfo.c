/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the server's build information: {"status":"success","data":{"version":"2.2.1",...}}.
 * Called by the uploader with whatever the server answered. Context: AGENT. Sole jansson user.
 */
#include "agent/buildinfo.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define TRACE_ID_MAJOR 2
#define TRACE_ID_MINOR 1
#define NUMBER_DIGITS_MAX 6 /* more digits are a date or a hash, not a version number */

int buildinfo_parse(const char *body, size_t len, char *version, size_t cap)
{
	json_t *root = json_loadb(body, len, 0, NULL);
	json_t *data = json_object_get(root, "data");
	json_t *value = json_object_get(data, "version");
	int err = -EINVAL;

	if (json_is_object(data) && (!value || json_is_string(value))) {
		snprintf(version, cap, "%s", value ? json_string_value(value) : "");
		err = 0;
	}
	json_decref(root);
	return err;
}

/* The number at *p, which is moved behind it; -1 if there is none. */
static int number(const char **p)
{
	int digits = 0;
	int n = 0;

	for (; isdigit((unsigned char)**p); (*p)++) {
		if (++digits > NUMBER_DIGITS_MAX)
			return -1;
		n = n * 10 + (**p - '0');
	}
	return digits ? n : -1;
}

bool buildinfo_trace_id_safe(const char *version)
{
	int major, minor;

	if (*version == 'v')
		version++;
	major = number(&version);
	if (major < 0 || *version++ != '.')
		return true;
	minor = number(&version);
	/* "1.2deadbeef" is a hash that happens to have a dot, not a release. */
	if (minor < 0 || (*version && !strchr(".-+", *version)))
		return true;
	return major > TRACE_ID_MAJOR || (major == TRACE_ID_MAJOR && minor >= TRACE_ID_MINOR);
}
