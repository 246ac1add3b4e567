/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any values of the environment's variables, "NAME=value", each up to a NUL: whatever they are, there is
 * a configuration within its bounds. The log's own are left out: a file would be written.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/config.h"
#include "shim/propagator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TERMINATED(field) (strnlen(field, sizeof(field)) < sizeof(field))

static void check(const struct config *c, const struct feed_config *f)
{
	if (!TERMINATED(c->include) || !TERMINATED(c->exclude) || !TERMINATED(c->application_name) ||
	    !TERMINATED(c->otel_service_name) || !TERMINATED(c->labels) ||
	    !TERMINATED(c->resource_attributes) || !TERMINATED(f->service) || !TERMINATED(f->labels) ||
	    !TERMINATED(f->server) || !TERMINATED(f->output_dir) || !TERMINATED(f->debug_path))
		abort();
	if (c->sample_rate < 1 || c->sample_rate > 1000 || f->frames_max < 1 ||
	    f->frames_max > FEED_FRAMES_MAX || f->upload_interval_ms < 1000 ||
	    f->upload_interval_ms > 600000 || f->exit_timeout_ms > 60000)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = calloc(1, sizeof(*config));
	struct feed_config *feed = calloc(1, sizeof(*feed));
	char *text = malloc(size + 1);

	if (!config || !feed || !text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	clearenv();
	for (char *at = text; at < text + size; at += strlen(at) + 1) {
		char *value = strchr(at, '=');

		if (!value || value == at || !strncmp(at, "SPANPROF_LOG", 12))
			continue;
		*value = '\0';
		setenv(at, value + 1, 1);
		at = value + 1;
	}
	setenv("SPANPROF_LOG_LEVEL", "none", 1);
	config->feed = feed;
	config_read(config, "/usr/sbin/program");
	check(config, feed);
	clearenv();
	free(text);
	free(feed);
	free(config);
	return 0;
}
