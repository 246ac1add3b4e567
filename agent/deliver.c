/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver.c - writes an interval as one file and pushes it in as many parts as the server's limits
 * ask for. AGENT. What goes to the server waits until it is known whether trace_id is safe there: to
 * servers before 2.1 it would become a series label, one series a trace.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/deliver.h"
#include "agent/export.h"
#include "agent/log.h"
#include "agent/sink.h"
#include "agent/upload.h"

#define DELIVER_NAME_MAX 4096
#define NSEC_PER_MSEC 1000000ULL

/* Why these: the first name that contains "cpu" makes the series process_cpu. */
static const char sample_types[] =
	"{\"samples\":{\"units\":\"samples\",\"display-name\":\"cpu_samples\",\"sampled\":true},"
	"\"cpu\":{\"units\":\"nanoseconds\",\"display-name\":\"cpu\",\"sampled\":true}}";

struct waiting {
	struct aggregate *aggregate;
	struct module *program;
	uint64_t until_unix_ns;
};

struct deliver {
	const struct feed_config *config;
	struct uploader *uploader; /* NULL: no server */
	struct waiting waiting[DELIVER_WAITING_MAX];
	unsigned waiting_count;
	bool hurry, sink_broken;
	uint64_t files, lost;
	/* Of the interval being encoded. */
	uint64_t from_ns, until_ns;
};

struct deliver *deliver_new(const struct feed_config *config)
{
	char name[DELIVER_NAME_MAX];
	struct upload_config upload = {.server = config->server, .app_name = name};
	struct deliver *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->config = config;
	if (!*config->server)
		return d;
	snprintf(name, sizeof(name), "%s{%s}", config->service, config->labels);
	upload.trace_id_label = config->trace_id_label == FEED_ON    ? UPLOAD_TRACE_ID_ON
				: config->trace_id_label == FEED_OFF ? UPLOAD_TRACE_ID_OFF
								     : UPLOAD_TRACE_ID_AUTO;
	d->uploader = uploader_new(&upload);
	if (!d->uploader && !*config->output_dir) {
		free(d);
		return NULL;
	}
	return d;
}

void deliver_free(struct deliver *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < d->waiting_count; i++)
		aggregate_free(d->waiting[i].aggregate);
	if (d->uploader)
		uploader_free(d->uploader);
	free(d);
}

static void write_file(void *arg, unsigned char *bytes, size_t n)
{
	struct deliver *d = arg;
	char path[2048];
	int error = sink_write(d->config->output_dir, d->config->service, "cpu",
			       d->until_ns / NSEC_PER_MSEC, bytes, n, path, sizeof(path));

	free(bytes);
	if (error) {
		d->lost++;
		if (!d->sink_broken)
			log_error("cannot write a profile to %s: %s; dropped, and so are others until "
				  "it works", d->config->output_dir, strerror(-error));
		d->sink_broken = true;
		return;
	}
	if (d->sink_broken)
		log_warn("profiles are written to %s again", d->config->output_dir);
	d->sink_broken = false;
	d->files++;
	log_info("wrote %s", path);
}

static void push(void *arg, unsigned char *bytes, size_t n)
{
	struct deliver *d = arg;
	struct spool_item item = {.bytes = bytes, .len = n, .from_ns = d->from_ns,
				  .until_ns = d->until_ns, .sample_type_config = sample_types};

	uploader_submit(d->uploader, &item);
}

static void export_to(struct deliver *d, const struct waiting *w, bool to_server, bool trace_ids)
{
	struct export_options options = {.program = w->program,
					 .period_ns = d->config->period_ns,
					 .until_unix_ns = w->until_unix_ns,
					 .trace_ids = trace_ids};
	int error;

	d->from_ns = aggregate_start(w->aggregate);
	d->until_ns = w->until_unix_ns;
	if (to_server) {
		options.samples_max = EXPORT_SERVER_SAMPLES;
		options.bytes_max = EXPORT_SERVER_BYTES;
	}
	error = export_profile(w->aggregate, &options, to_server ? push : write_file, d);
	if (error) {
		d->lost++;
		log_error("cannot encode a profile: %s; dropped", strerror(-error));
	}
}

/* The oldest goes first; without an answer, without trace ids. */
static void push_oldest(struct deliver *d)
{
	bool known, allowed = uploader_trace_id_allowed(d->uploader, &known);
	struct waiting w = d->waiting[0];

	memmove(d->waiting, d->waiting + 1, --d->waiting_count * sizeof(w));
	export_to(d, &w, true, known && allowed);
	aggregate_free(w.aggregate);
}

static bool answer_known(const struct deliver *d)
{
	bool known;

	uploader_trace_id_allowed(d->uploader, &known);
	return known;
}

void deliver_interval(struct deliver *d, struct aggregate *a, struct module *program,
		      uint64_t until_unix_ns)
{
	struct waiting w = {a, program, until_unix_ns};

	if (aggregate_lost(a) || aggregate_folded(a))
		log_warn("memory bounds: %llu samples lost, %llu kept without ids",
			 (unsigned long long)aggregate_lost(a),
			 (unsigned long long)aggregate_folded(a));
	if (*d->config->output_dir && aggregate_count(a))
		export_to(d, &w, false, d->config->trace_id_label != FEED_OFF);
	if (!d->uploader || aggregate_count(a) == 0) {
		aggregate_free(a);
		return;
	}
	if (d->waiting_count == DELIVER_WAITING_MAX)
		push_oldest(d);
	d->waiting[d->waiting_count++] = w;
}

void deliver_poll(struct deliver *d, uint64_t now_ns)
{
	if (!d->uploader)
		return;
	uploader_poll(d->uploader, now_ns);
	if (d->waiting_count && (d->hurry || answer_known(d)))
		push_oldest(d);
}

void deliver_wait(struct deliver *d, struct pollfd *fds, unsigned n, int timeout_ms)
{
	if (d->uploader)
		uploader_wait(d->uploader, fds, n, timeout_ms);
	else
		poll(fds, n, timeout_ms);
}

bool deliver_idle(const struct deliver *d)
{
	return !d->uploader || (d->waiting_count == 0 && uploader_idle(d->uploader));
}

void deliver_hurry(struct deliver *d)
{
	if (d->uploader)
		uploader_hurry(d->uploader);
	d->hurry = true;
}

void deliver_totals(const struct deliver *d, struct deliver_totals *out)
{
	struct upload_stats stats = {0};

	if (d->uploader)
		uploader_stats(d->uploader, &stats);
	out->files = d->files;
	out->pushed = stats.ok;
	out->failed = d->lost + stats.dropped + stats.rejected + stats.ambiguous;
}
