/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.c - environment to one struct, by one table. BOOT: no allocation, and nothing that could run
 * code of the host's.
 */
#include <fnmatch.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "shim/config.h"
#include "shim/config_value.h"
#include "shim/labels.h"
#include "shim/log.h"
#include "shim/propagator.h"

#define CONFIG_RATE_DEFAULT 100
#define CONFIG_FRAMES_DEFAULT 128
#define CONFIG_SPANS_DEFAULT 5000
#define CONFIG_UPLOAD_DEFAULT_MS 15000
#define CONFIG_EXIT_DEFAULT_MS 2000

#define IN_CONFIG(field) offsetof(struct config, field), sizeof(((struct config *)0)->field), false
#define IN_FEED(field) offsetof(struct feed_config, field), sizeof(((struct feed_config *)0)->field), true

/* The log's own settings come first, so that what follows is logged as asked. */
static const struct setting {
	const char *name;
	config_reader *read;
	size_t offset, size;
	bool in_feed;
} settings[] = {
	{"SPANPROF_LOG_FILE", config_read_path, IN_FEED(log_file)},
	{"SPANPROF_LOG_LEVEL", config_read_level, IN_FEED(log_level)},
	{"SPANPROF_ENABLED", config_read_bool, IN_CONFIG(enabled)},
	{"SPANPROF_START", config_read_start, IN_CONFIG(eager)},
	{"SPANPROF_SAMPLE_RATE", config_read_rate, IN_CONFIG(sample_rate)},
	{"SPANPROF_STACK_DEPTH", config_read_frames, IN_FEED(frames_max)},
	{"SPANPROF_INCLUDE", config_read_text, IN_CONFIG(include)},
	{"SPANPROF_EXCLUDE", config_read_text, IN_CONFIG(exclude)},
	{"SPANPROF_OUTPUT_DIR", config_read_path, IN_FEED(output_dir)},
	{"SPANPROF_TRACE_ID_LABEL", config_read_switch, IN_FEED(trace_id_label)},
	{"SPANPROF_SPAN_NAMES", config_read_names, IN_FEED(span_names)},
	{"SPANPROF_MAX_SPANS", config_read_spans, IN_FEED(max_spans)},
	{"SPANPROF_DEBUG_PATH", config_read_text, IN_FEED(debug_path)},
	{"SPANPROF_DEBUGINFOD", config_read_bool, IN_FEED(debuginfod)},
	{"SPANPROF_SHORTEN_TEMPLATES", config_read_bool, IN_FEED(shorten_templates)},
	{"SPANPROF_VERIFY_STACKS", config_read_bool, IN_FEED(verify_stacks)},
	{"SPANPROF_EXIT_TIMEOUT", config_read_timeout, IN_FEED(exit_timeout_ms)},
	{"PYROSCOPE_SERVER_ADDRESS", config_read_url, IN_FEED(server)},
	{"PYROSCOPE_APPLICATION_NAME", config_read_text, IN_CONFIG(application_name)},
	{"PYROSCOPE_LABELS", config_read_text, IN_CONFIG(labels)},
	{"PYROSCOPE_UPLOAD_INTERVAL", config_read_interval, IN_FEED(upload_interval_ms)},
	{"OTEL_SERVICE_NAME", config_read_text, IN_CONFIG(otel_service_name)},
	{"OTEL_RESOURCE_ATTRIBUTES", config_read_text, IN_CONFIG(resource_attributes)},
	{"OTEL_PROPAGATORS", config_read_propagators, IN_CONFIG(propagators)},
};

static void read_setting(struct config *config, const struct setting *setting)
{
	void *base = setting->in_feed ? (void *)config->feed : (void *)config;
	const char *value = getenv(setting->name);
	const char *expected;

	if (!value || !*value)
		return;
	expected = setting->read(value, (char *)base + setting->offset, setting->size);
	if (expected)
		log_line(FEED_LOG_WARN, "%s=%.80s is not %s; using the default", setting->name,
			 value, expected);
	if (setting->in_feed)
		log_configure(config->feed->log_level, config->feed->log_file);
}

static void set_defaults(struct config *config)
{
	config->enabled = 1;
	config->sample_rate = CONFIG_RATE_DEFAULT;
	config->feed->frames_max = CONFIG_FRAMES_DEFAULT;
	config->feed->max_spans = CONFIG_SPANS_DEFAULT;
	config->feed->log_level = FEED_LOG_WARN;
	config->feed->upload_interval_ms = CONFIG_UPLOAD_DEFAULT_MS;
	config->feed->exit_timeout_ms = CONFIG_EXIT_DEFAULT_MS;
	log_configure(config->feed->log_level, config->feed->log_file);
}

/* Whether any of the globs, separated by ',' or ':', matches. */
static bool matches(const char *globs, const char *path)
{
	char glob[CONFIG_GLOBS_MAX];

	while (*globs) {
		size_t n = strcspn(globs, ",:");

		memcpy(glob, globs, n);
		glob[n] = 0;
		if (n && fnmatch(glob, path, 0) == 0)
			return true;
		globs += n + (globs[n] ? 1 : 0);
	}
	return false;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Only [a-zA-Z0-9_.-/] may stand in an application's name. */
static void set_service(struct config *config, const char *name, size_t n)
{
	char *to = config->feed->service;
	bool adapted = false;

	if (n >= sizeof(config->feed->service))
		n = sizeof(config->feed->service) - 1;
	for (size_t i = 0; i < n; i++) {
		bool fits = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
			    (name[i] >= '0' && name[i] <= '9') || (name[i] && strchr("_.-/", name[i]));

		to[i] = fits ? name[i] : '_';
		adapted |= !fits;
	}
	to[n] = 0;
	if (adapted)
		log_line(FEED_LOG_WARN, "service name \"%.*s\": characters Pyroscope does not take "
			 "are replaced: %s", (int)n, name, to);
}

/*
 * Name: PYROSCOPE_APPLICATION_NAME, OTEL_SERVICE_NAME, service.name of OTEL_RESOURCE_ATTRIBUTES, the
 * program's name. Labels: PYROSCOPE_LABELS over those in the application's name over the resource's.
 */
static void set_identity(struct config *config, const char *executable)
{
	static struct labels labels;
	const char *resource = config->resource_attributes;
	const char *brace = strchr(config->application_name, '{');
	const char *name = NULL;
	size_t n;

	if (!labels_add(&labels, resource, strlen(resource), LABELS_PERCENT))
		log_line(FEED_LOG_WARN, "OTEL_RESOURCE_ATTRIBUTES=%.80s: malformed and ignored, or too much and "
			 "partly left out", resource);
	if (brace && !labels_add(&labels, brace + 1, strcspn(brace + 1, "}"), LABELS_PLAIN))
		log_line(FEED_LOG_WARN, "PYROSCOPE_APPLICATION_NAME: a label is malformed; left out");
	if (!labels_add(&labels, config->labels, strlen(config->labels), LABELS_PLAIN))
		log_line(FEED_LOG_WARN, "PYROSCOPE_LABELS=%.80s: what is malformed is left out",
			 config->labels);
	if (*config->application_name && brace != config->application_name)
		name = config->application_name;
	else if (*config->otel_service_name)
		name = config->otel_service_name;
	else
		name = labels_find(&labels, "service.name");
	if (!name)
		name = base_name(executable);
	n = name == config->application_name ? strcspn(name, "{") : strlen(name);
	set_service(config, name, n);
	labels_remove(&labels, "service.name");
	labels_remove(&labels, "service_name");
	if (!labels_format(&labels, config->feed->labels, sizeof(config->feed->labels)))
		log_line(FEED_LOG_WARN, "labels do not fit in %zu bytes; the last are left out",
			 sizeof(config->feed->labels));
}

bool config_read(struct config *config, const char *executable)
{
	set_defaults(config);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		read_setting(config, &settings[i]);
	config->feed->period_ns = 1000000000ULL / config->sample_rate;
	if (!config->enabled || (!*config->feed->server && !*config->feed->output_dir))
		return false;
	if (*config->include && !matches(config->include, executable))
		return false;
	if (matches(config->exclude, executable))
		return false;
	set_identity(config, executable);
	propagator_enable(config->propagators);
	return true;
}
