/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver.c - writes an interval as one file and pushes it in as many parts as the server's limits
 * ask for, once the encoder's thread has made them. AGENT. What goes to the server waits until it is known whether trace_id is safe there: to
 * servers before 2.1 it would become a series label, one series a trace.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/deliver.h"
#include "agent/encoder.h"
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

/* Oldest first. */
struct queue {
	struct waiting items[DELIVER_WAITING_MAX];
	unsigned count;
};

struct deliver {
	const struct feed_config *config;
	struct uploader *uploader; /* NULL: no server */
	struct encoder *encoder;
	struct queue to_write, to_push;
	struct waiting current; /* what the encoder has; without one its aggregate is NULL */
	bool current_is_file;
	bool hurry, sink_broken;
	uint64_t files, lost;
};

struct deliver *deliver_new(const struct feed_config *config)
{
	char name[DELIVER_NAME_MAX];
	struct upload_config upload = {.server = config->server, .app_name = name};
	struct deliver *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->config = config;
	d->encoder = encoder_new();
	if (!d->encoder) {
		free(d);
		return NULL;
	}
	if (!*config->server)
		return d;
	snprintf(name, sizeof(name), "%s{%s}", config->service, config->labels);
	upload.trace_id_label = config->trace_id_label == FEED_ON    ? UPLOAD_TRACE_ID_ON
				: config->trace_id_label == FEED_OFF ? UPLOAD_TRACE_ID_OFF
								     : UPLOAD_TRACE_ID_AUTO;
	d->uploader = uploader_new(&upload);
	if (!d->uploader && !*config->output_dir) {
		encoder_free(d->encoder);
		free(d);
		return NULL;
	}
	return d;
}

static void queue_release(struct queue *q)
{
	while (q->count)
		aggregate_free(q->items[--q->count].aggregate);
}

static struct waiting queue_take(struct queue *q)
{
	struct waiting w = q->items[0];

	memmove(q->items, q->items + 1, --q->count * sizeof(w));
	return w;
}

/* Encoding takes longer than intervals last, or the server never says what it is: the oldest goes. */
static void queue_put(struct deliver *d, struct queue *q, const struct waiting *w)
{
	if (q->count == DELIVER_WAITING_MAX) {
		struct waiting oldest = queue_take(q);

		aggregate_free(oldest.aggregate);
		if (!d->lost++)
			log_warn("profiles come faster than they can be encoded; the oldest is dropped");
	}
	q->items[q->count++] = *w;
}

void deliver_free(struct deliver *d)
{
	if (!d)
		return;
	encoder_free(d->encoder);
	aggregate_free(d->current.aggregate);
	queue_release(&d->to_write);
	queue_release(&d->to_push);
	if (d->uploader)
		uploader_free(d->uploader);
	free(d);
}

static void write_file(void *arg, unsigned char *bytes, size_t n)
{
	struct deliver *d = arg;
	char path[2048];
	int error = sink_write(d->config->output_dir, d->config->service, "cpu",
			       d->current.until_unix_ns / NSEC_PER_MSEC, bytes, n, path, sizeof(path));

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
	struct spool_item item = {.bytes = bytes, .len = n,
				  .from_ns = aggregate_start(d->current.aggregate),
				  .until_ns = d->current.until_unix_ns,
				  .sample_type_config = sample_types};

	uploader_submit(d->uploader, &item);
}

static void encode(struct deliver *d, const struct waiting *w, bool file, bool trace_ids)
{
	struct export_options options = {.program = w->program,
					 .period_ns = d->config->period_ns,
					 .until_unix_ns = w->until_unix_ns,
					 .trace_ids = trace_ids};

	if (!file) {
		options.samples_max = EXPORT_SERVER_SAMPLES;
		options.bytes_max = EXPORT_SERVER_BYTES;
	}
	d->current = *w;
	d->current_is_file = file;
	encoder_start(d->encoder, w->aggregate, &options);
}

/* Files first, which wait for no answer; without an answer, a push is without trace ids. */
static void encode_next(struct deliver *d)
{
	bool known = false, allowed = false;
	struct waiting w;

	if (d->to_write.count) {
		w = queue_take(&d->to_write);
		encode(d, &w, true, d->config->trace_id_label != FEED_OFF);
		return;
	}
	if (d->uploader)
		allowed = uploader_trace_id_allowed(d->uploader, &known);
	if (d->to_push.count && (known || d->hurry || d->to_push.count == DELIVER_WAITING_MAX)) {
		w = queue_take(&d->to_push);
		encode(d, &w, false, known && allowed);
	}
}

static void take_encoded(struct deliver *d)
{
	struct waiting w = d->current;
	int error;

	if (!encoder_finish(d->encoder, d->current_is_file ? write_file : push, d, &error))
		return;
	d->current.aggregate = NULL;
	if (error) {
		d->lost++;
		log_error("cannot encode a profile: %s; dropped", strerror(-error));
	}
	if (d->current_is_file && d->uploader)
		queue_put(d, &d->to_push, &w);
	else
		aggregate_free(w.aggregate);
}

static void go_on(struct deliver *d)
{
	take_encoded(d);
	if (!encoder_busy(d->encoder))
		encode_next(d);
}

void deliver_interval(struct deliver *d, struct aggregate *a, struct module *program,
		      uint64_t until_unix_ns)
{
	struct waiting w = {a, program, until_unix_ns};

	if (aggregate_count(a) == 0) {
		aggregate_free(a);
		return;
	}
	queue_put(d, *d->config->output_dir ? &d->to_write : &d->to_push, &w);
	go_on(d);
}

void deliver_poll(struct deliver *d, uint64_t now_ns)
{
	if (d->uploader)
		uploader_poll(d->uploader, now_ns);
	go_on(d);
}

void deliver_wait(struct deliver *d, struct pollfd *fds, unsigned n, int timeout_ms)
{
	if (d->uploader)
		uploader_wait(d->uploader, fds, n, timeout_ms);
	else
		poll(fds, n, timeout_ms);
}

bool deliver_encoding(const struct deliver *d)
{
	return encoder_busy(d->encoder) || d->to_write.count;
}

bool deliver_idle(const struct deliver *d)
{
	return !deliver_encoding(d) && !d->to_push.count &&
	       (!d->uploader || uploader_idle(d->uploader));
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
