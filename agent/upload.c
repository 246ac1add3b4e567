/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The uploader: which profile goes to the server when, what its answer means, and what the log is
 * told of it. Profiles go one at a time, since they share the server and its limits: a failure
 * delays all of them, and only the oldest uses up its tries. Beside them a probe asks the server's
 * version. Driven by the agent's main loop, never blocks. Context: AGENT.
 */
#include "agent/upload.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/buildinfo.h"
#include "agent/http.h"
#include "agent/log.h"
#include "agent/retry.h"

#define STATUS_MAX 1000
#define PROBE_AGAIN_NS (600 * 1000000000ull) /* servers get upgraded */

enum failing {
	FAILING_NOT,
	FAILING_PROBE, /* nothing was pushed yet, but the server cannot be asked either */
	FAILING_PUSH,
};

struct uploader {
	struct http *http;
	char *name, *spy; /* escaped */
	uint64_t now_ns;

	struct spool spool;
	struct spool_item item; /* being sent or waiting for its next try, if bytes is set */
	struct http_transfer *push;
	unsigned failures; /* in a row, over items */
	uint64_t retry_ns;

	enum upload_trace_id trace_id_label;
	bool trace_id_known, trace_id_allowed;
	struct http_transfer *probe;
	unsigned probe_failures;
	uint64_t probe_ns;

	enum failing failing;
	uint64_t failing_since_ns, lost_before;
	unsigned char status_told[STATUS_MAX / CHAR_BIT];
	struct upload_stats stats;
};

static http_done_fn push_done, probe_done;

static int configure(struct uploader *u, const struct upload_config *config)
{
	u->name = http_escape(config->app_name);
	u->spy = http_escape(config->spy_name ? config->spy_name : "spanprof");
	u->trace_id_label = config->trace_id_label;
	u->trace_id_known = config->trace_id_label != UPLOAD_TRACE_ID_AUTO;
	u->trace_id_allowed = config->trace_id_label == UPLOAD_TRACE_ID_ON;
	u->push = http_transfer_new(u->http, push_done, u);
	u->probe = http_transfer_new(u->http, probe_done, u);
	return u->name && u->spy && u->push && u->probe ? 0 : -ENOMEM;
}

struct uploader *uploader_new(const struct upload_config *config)
{
	struct http_config http = {
	    .server = config->server,
	    .user = config->basic_auth_user,
	    .password = config->basic_auth_password,
	    .tenant_id = config->tenant_id,
	    .headers = config->headers,
	    .timeout_ms = config->timeout_ms,
	};
	struct uploader *u = calloc(1, sizeof(*u));
	int err = -ENOMEM;

	if (u) {
		spool_init(&u->spool);
		u->http = http_new(&http);
		err = u->http ? configure(u, config) : -errno;
	}
	if (!err)
		return u;
	uploader_free(u);
	errno = -err;
	return NULL;
}

void uploader_free(struct uploader *u)
{
	unsigned left;

	if (!u)
		return;
	left = u->spool.count + (u->item.bytes ? 1 : 0);
	if (left)
		log_warn("%u profiles could not be uploaded in time and are lost", left);
	http_transfer_free(u->push);
	http_transfer_free(u->probe);
	http_free(u->http);
	spool_item_release(&u->item);
	spool_release(&u->spool);
	free(u->name);
	free(u->spy);
	free(u);
}

static uint64_t delay_ns(unsigned failures)
{
	uint32_t random = 0;

	/* Without randomness there is merely no jitter. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0;
	return retry_delay_ns(failures, random);
}

static uint64_t lost(const struct uploader *u)
{
	return u->stats.dropped + u->spool.dropped + u->stats.ambiguous;
}

static void say_failing(struct uploader *u, enum failing what, const char *reason)
{
	if (u->failing == FAILING_NOT) {
		log_warn("cannot upload profiles to %s: %s; trying again every %u to %u s, "
			 "keeping at most %u profiles or %u MiB",
			 http_base(u->http), reason, RETRY_SHORTEST_S, RETRY_LONGEST_S,
			 SPOOL_ITEMS_MAX, SPOOL_BYTES_MAX >> 20);
		u->failing_since_ns = u->now_ns;
		u->lost_before = lost(u);
	}
	if (u->failing < what)
		u->failing = what;
}

/* A server that can be asked may still refuse profiles: a probe ends only what a probe began. */
static void say_recovered(struct uploader *u, enum failing what)
{
	if (u->failing == FAILING_NOT || u->failing > what)
		return;
	log_warn("uploads to %s work again after %" PRIu64 " s; %" PRIu64 " profiles were lost",
		 http_base(u->http), (u->now_ns - u->failing_since_ns) / 1000000000u,
		 lost(u) - u->lost_before);
	u->failing = FAILING_NOT;
}

static void say_rejected(struct uploader *u, long status, const char *reason)
{
	unsigned char bit = (unsigned char)(1u << (status % CHAR_BIT));

	if (status < 0 || status >= STATUS_MAX || (u->status_told[status / CHAR_BIT] & bit))
		return;
	u->status_told[status / CHAR_BIT] |= bit;
	log_warn("%s rejected a profile: %s; more of this status are only counted",
		 http_base(u->http), reason);
}

static void push_failed(struct uploader *u, enum retry_verdict verdict, const char *reason)
{
	u->failures++;
	u->retry_ns = u->now_ns + delay_ns(u->failures);
	say_failing(u, FAILING_PUSH, reason);
	if (verdict == RETRY_AMBIGUOUS)
		u->stats.ambiguous++;
	else if (u->item.tries < RETRY_TRIES_MAX)
		return;
	else
		u->stats.dropped++;
	spool_item_release(&u->item);
}

static void push_done(void *arg, const struct http_reply *reply)
{
	struct uploader *u = arg;
	struct retry_outcome outcome = {reply->status, reply->body, reply->sent_whole};
	enum retry_verdict verdict = retry_judge(&outcome);

	log_debug("profile of %zu bytes, try %u: %s", u->item.len, u->item.tries, reply->reason);
	if (verdict == RETRY_LATER || verdict == RETRY_AMBIGUOUS) {
		push_failed(u, verdict, reply->reason);
		return;
	}
	u->failures = 0;
	if (verdict == RETRY_STORED) {
		u->stats.ok++;
		u->stats.bytes += u->item.len;
		say_recovered(u, FAILING_PUSH);
	} else {
		u->stats.rejected++;
		say_rejected(u, reply->status, reply->reason);
	}
	spool_item_release(&u->item);
}

static void probe_failed(struct uploader *u, const char *reason)
{
	u->probe_failures++;
	u->probe_ns = u->now_ns + delay_ns(u->probe_failures);
	/* Once known, an unanswered question alone troubles nobody: the pushes tell. */
	if (!u->trace_id_known)
		say_failing(u, FAILING_PROBE, reason);
}

static void probe_done(void *arg, const struct http_reply *reply)
{
	struct uploader *u = arg;
	/* A question can always be repeated. */
	struct retry_outcome outcome = {reply->status, reply->body, .sent_whole = false};
	char version[BUILDINFO_VERSION_MAX] = "";
	bool allowed = true;

	if (retry_judge(&outcome) == RETRY_LATER) {
		probe_failed(u, reply->reason);
		return;
	}
	if (reply->status == 200 &&
	    buildinfo_parse(reply->body, reply->len, version, sizeof(version)) == 0)
		allowed = buildinfo_trace_id_safe(version);
	if (!u->trace_id_known || allowed != u->trace_id_allowed)
		log_info("%s has version \"%s\": trace_id is %s", http_base(u->http), version,
			 allowed ? "sent" : "left out, as it would become a series label there");
	u->trace_id_known = true;
	u->trace_id_allowed = allowed;
	u->probe_failures = 0;
	u->probe_ns = u->now_ns + PROBE_AGAIN_NS;
	say_recovered(u, FAILING_PROBE);
}

static int start_push(struct uploader *u)
{
	struct http_part parts[2];
	unsigned n = 0;
	char *target;
	int err;

	/* Parts need a file name: the server ignores one without, and answers 200 all the same. */
	if (u->item.sample_type_config)
		parts[n++] = (struct http_part){"sample_type_config", "sample_type_config.json",
						"application/json", u->item.sample_type_config,
						strlen(u->item.sample_type_config)};
	/* Last, as that is the part whose sending http watches. */
	parts[n++] = (struct http_part){"profile", "profile.pprof", "application/octet-stream",
					u->item.bytes, u->item.len};
	if (u->item.tries++)
		u->stats.retried++;
	if (asprintf(&target, "/ingest?name=%s&from=%" PRIu64 "&until=%" PRIu64 "&spyName=%s",
		     u->name, u->item.from_ns, u->item.until_ns, u->spy) < 0)
		return -ENOMEM;
	err = http_start(u->push, target, parts, n);
	free(target);
	return err;
}

static bool push_waits(const struct uploader *u)
{
	return !http_running(u->push) && (u->item.bytes || u->spool.count);
}

static bool probe_waits(const struct uploader *u)
{
	return !http_running(u->probe) && u->trace_id_label == UPLOAD_TRACE_ID_AUTO;
}

static void start_due(struct uploader *u)
{
	if (probe_waits(u) && u->now_ns >= u->probe_ns &&
	    http_start(u->probe, BUILDINFO_PATH, NULL, 0))
		probe_failed(u, strerror(ENOMEM));
	if (!push_waits(u) || u->now_ns < u->retry_ns)
		return;
	if (!u->item.bytes && !spool_pop(&u->spool, &u->item))
		return;
	if (start_push(u))
		push_failed(u, RETRY_LATER, strerror(ENOMEM));
}

void uploader_poll(struct uploader *u, uint64_t now_ns)
{
	u->now_ns = now_ns;
	start_due(u);
	http_perform(u->http);
	/* The next profile, if one was done: what it starts makes the next wait return at once. */
	start_due(u);
}

int uploader_submit(struct uploader *u, const struct spool_item *item)
{
	struct spool_item copy = *item;

	if (!item->bytes || !item->len) {
		free(item->bytes);
		return -EINVAL;
	}
	copy.tries = 0;
	return spool_push(&u->spool, &copy);
}

static int due_in_ms(const struct uploader *u)
{
	uint64_t due = UINT64_MAX;

	if (push_waits(u))
		due = u->retry_ns;
	if (probe_waits(u) && u->probe_ns < due)
		due = u->probe_ns;
	if (due <= u->now_ns)
		return 0;
	due = (due - u->now_ns + 999999) / 1000000;
	return due < INT_MAX ? (int)due : INT_MAX;
}

int uploader_wait(struct uploader *u, struct pollfd *fds, unsigned n, int timeout_ms)
{
	int due = due_in_ms(u);

	if (timeout_ms < 0 || timeout_ms > due)
		timeout_ms = due;
	return http_wait(u->http, fds, n, timeout_ms);
}

bool uploader_idle(const struct uploader *u)
{
	return !http_running(u->push) && !u->item.bytes && !u->spool.count;
}

void uploader_hurry(struct uploader *u)
{
	u->retry_ns = 0;
}

bool uploader_trace_id_allowed(const struct uploader *u, bool *known)
{
	*known = u->trace_id_known;
	return u->trace_id_known && u->trace_id_allowed;
}

void uploader_stats(const struct uploader *u, struct upload_stats *out)
{
	*out = u->stats;
	out->dropped += u->spool.dropped;
}
