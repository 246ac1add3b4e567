/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - what the environment asks for, read once. One table says names, defaults and how values
 * are read; docs/configuration.md is checked against it. Context: BOOT.
 */
#ifndef SPANPROF_SHIM_CONFIG_H
#define SPANPROF_SHIM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/feed.h"

#define CONFIG_GLOBS_MAX 1024
#define CONFIG_NAME_MAX 512

struct config {
	uint32_t enabled;
	uint32_t eager; /* attach in the constructor */
	uint32_t sample_rate; /* Hz */
	uint32_t propagators; /* set of 1 << enum propagator_format */
	char include[CONFIG_GLOBS_MAX];
	char exclude[CONFIG_GLOBS_MAX];
	char application_name[CONFIG_NAME_MAX]; /* may carry labels: name{k=v} */
	char otel_service_name[sizeof(((struct feed_config *)0)->service)];
	char labels[sizeof(((struct feed_config *)0)->labels)];
	char resource_attributes[sizeof(((struct feed_config *)0)->labels)];
	struct feed_config *feed; /* the part the agent gets */
};

/*
 * Read the environment into config and *config->feed. executable: path of the program. A wrong value
 * is answered with one log line and the default. Returns whether to profile this process at all.
 */
bool config_read(struct config *config, const char *executable);

#endif
