/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP over one curl multi handle, which the agent's main loop drives. Never blocks, never follows
 * a redirect (it would take credentials along), never reuses a connection: curl repeats by itself
 * a request whose reused connection breaks before an answer, and Pyroscope would store that twice.
 * Called by the uploader. Context: AGENT. Sole libcurl user.
 */
#include "agent/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/log.h"
#include "agent/url.h"

/*
 * Without it a transfer that times out inside the name resolver blocks until that returns, on the
 * main loop. By number: headers before 7.87 lack the name, and older libraries just refuse it.
 */
#define OPTION_QUICK_EXIT ((CURLoption)(CURLOPTTYPE_LONG + 322))

struct http {
	CURLM *multi;
	char *base;
	char *user, *password;
	struct curl_slist *headers;
	unsigned timeout_ms;
};

struct http_transfer {
	struct http *http;
	http_done_fn *done;
	void *arg;
	CURL *easy;
	curl_mime *mime;
	bool running;
	const char *left; /* of the last part: what curl has not read yet */
	size_t left_len, answer_len;
	char answer[HTTP_ANSWER_MAX];
	char error[CURL_ERROR_SIZE];
};

static int parse_server(struct http *h, const struct http_config *config)
{
	const char *user = config->user, *password = config->password;
	struct url url;

	if (!config->server || url_parse(&url, config->server))
		return -EINVAL;
	if (!user && url.has_user) {
		user = url.user;
		password = url.password;
	}
	h->base = strdup(url.base);
	h->user = user ? strdup(user) : NULL;
	h->password = strdup(password ? password : "");
	return h->base && h->password && !user == !h->user ? 0 : -ENOMEM;
}

static int add_header(struct http *h, const char *name, const char *value)
{
	struct curl_slist *list = NULL;
	char *line;

	/* curl would send a line break as it stands: more headers, or a second request. */
	if (strlen(value) > HTTP_HEADER_MAX || strpbrk(value, "\r\n")) {
		log_warn("a configured HTTP header is too long or has a line break: left out");
		return 0;
	}
	if (asprintf(&line, "%s%s", name, value) < 0)
		return -ENOMEM;
	list = curl_slist_append(h->headers, line);
	free(line);
	if (!list)
		return -ENOMEM;
	h->headers = list;
	return 0;
}

static int build_headers(struct http *h, const struct http_config *config)
{
	/* Waiting for "100 Continue" costs a second wherever a proxy does not know it. */
	int err = add_header(h, "Expect:", "");

	if (!err && config->tenant_id)
		err = add_header(h, "X-Scope-OrgID: ", config->tenant_id);
	for (unsigned i = 0; !err && config->headers && config->headers[i]; i++)
		err = i < HTTP_HEADERS_MAX ? add_header(h, "", config->headers[i]) : -E2BIG;
	return err;
}

struct http *http_new(const struct http_config *config)
{
	struct http *h = calloc(1, sizeof(*h));
	int err = -ENOMEM;

	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT)) {
		free(h);
		errno = ENOMEM;
		return NULL;
	}
	h->timeout_ms = config->timeout_ms ? config->timeout_ms : HTTP_TIMEOUT_MS;
	h->multi = curl_multi_init();
	if (h->multi)
		err = parse_server(h, config);
	if (!err)
		err = build_headers(h, config);
	if (!err)
		return h;
	/* The address itself is not shown: what cannot be parsed may hide a password anywhere. */
	log_error("nothing will be uploaded: %s",
		  err == -EINVAL ? "the server's address is no http or https URL" : strerror(-err));
	http_free(h);
	errno = -err;
	return NULL;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_multi_cleanup(h->multi);
	curl_slist_free_all(h->headers);
	free(h->base);
	free(h->user);
	free(h->password);
	free(h);
	curl_global_cleanup();
}

const char *http_base(const struct http *h)
{
	return h->base;
}

char *http_escape(const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0);
	char *copy = escaped ? strdup(escaped) : NULL;

	curl_free(escaped);
	return copy;
}

struct http_transfer *http_transfer_new(struct http *h, http_done_fn *done, void *arg)
{
	struct http_transfer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->http = h;
	t->done = done;
	t->arg = arg;
	t->easy = curl_easy_init();
	if (t->easy)
		return t;
	free(t);
	return NULL;
}

static void stop(struct http_transfer *t)
{
	if (t->running)
		curl_multi_remove_handle(t->http->multi, t->easy);
	curl_mime_free(t->mime);
	t->mime = NULL;
	t->running = false;
}

void http_transfer_free(struct http_transfer *t)
{
	if (!t)
		return;
	stop(t);
	curl_easy_cleanup(t->easy);
	free(t);
}

bool http_running(const struct http_transfer *t)
{
	return t->running;
}

/* curl's callback: keeps the start of the answer and swallows the rest. */
static size_t keep_answer(char *data, size_t size, size_t n, void *arg)
{
	struct http_transfer *t = arg;
	size_t len = size * n;
	size_t room = sizeof(t->answer) - 1 - t->answer_len;
	size_t kept = len < room ? len : room;

	memcpy(t->answer + t->answer_len, data, kept);
	t->answer_len += kept;
	t->answer[t->answer_len] = '\0';
	return len;
}

/*
 * curl's callback: the last part. Once curl took its last byte the request may be out entirely;
 * before that it surely is not.
 */
static size_t give_last_part(char *buffer, size_t size, size_t n, void *arg)
{
	struct http_transfer *t = arg;
	size_t len = size * n < t->left_len ? size * n : t->left_len;

	memcpy(buffer, t->left, len);
	t->left += len;
	t->left_len -= len;
	return len;
}

static int attach_parts(struct http_transfer *t, const struct http_part *parts, unsigned n)
{
	t->mime = curl_mime_init(t->easy);
	if (!t->mime)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		const struct http_part *p = &parts[i];
		curl_mimepart *part = curl_mime_addpart(t->mime);

		if (!part || curl_mime_name(part, p->name) ||
		    curl_mime_filename(part, p->filename) || curl_mime_type(part, p->type))
			return -ENOMEM;
		t->left = p->bytes;
		t->left_len = p->len;
		/* No seek function: curl cannot rewind, so it never sends anything twice itself. */
		if (i + 1 == n
			? curl_mime_data_cb(part, (curl_off_t)p->len, give_last_part, NULL, NULL, t)
			: curl_mime_data(part, p->bytes, p->len))
			return -ENOMEM;
	}
	return curl_easy_setopt(t->easy, CURLOPT_MIMEPOST, t->mime) ? -ENOMEM : 0;
}

static void set_options(struct http_transfer *t)
{
	const struct http *h = t->http;
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "spanprof/" SPANPROF_VERSION);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, h->headers);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, OPTION_QUICK_EXIT, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_TIMEOUT_MS);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)h->timeout_ms);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, keep_answer);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	if (h->user) {
		curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(e, CURLOPT_USERNAME, h->user);
		curl_easy_setopt(e, CURLOPT_PASSWORD, h->password);
	}
}

int http_start(struct http_transfer *t, const char *target, const struct http_part *parts,
	       unsigned n)
{
	char *url;
	int err;

	if (asprintf(&url, "%s%s", t->http->base, target) < 0)
		return -ENOMEM;
	curl_easy_reset(t->easy);
	t->answer_len = 0;
	t->answer[0] = t->error[0] = '\0';
	set_options(t);
	err = curl_easy_setopt(t->easy, CURLOPT_URL, url) ? -ENOMEM : 0;
	free(url);
	if (!err && n)
		err = attach_parts(t, parts, n);
	if (!err && curl_multi_add_handle(t->http->multi, t->easy))
		err = -ENOMEM;
	t->running = !err;
	if (err)
		stop(t);
	return err;
}

static void explain(struct http_transfer *t, CURLcode code, long status, char *reason, size_t cap)
{
	char *to = NULL;

	curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &to);
	if (status == 0)
		snprintf(reason, cap, "%s", t->error[0] ? t->error : curl_easy_strerror(code));
	else if (to)
		snprintf(reason, cap, "HTTP %ld to %.400s: redirects are not followed", status, to);
	else
		snprintf(reason, cap, "HTTP %ld%s%.400s", status, t->answer_len ? ": " : "",
			 t->answer);
}

/* An answer whose status came but whose body broke off has said what there is to say. */
static void finish(struct http_transfer *t, CURLcode code)
{
	char reason[HTTP_REASON_MAX];
	struct http_reply reply = {.body = t->answer,
				   .len = t->answer_len,
				   .reason = reason,
				   .sent_whole = !t->mime || !t->left_len};

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &reply.status);
	if (reply.status < 200)
		reply.status = 0;
	explain(t, code, reply.status, reason, sizeof(reason));
	stop(t);
	t->done(t->arg, &reply);
}

void http_perform(struct http *h)
{
	CURLMsg *msg;
	int ignored;

	curl_multi_perform(h->multi, &ignored);
	while ((msg = curl_multi_info_read(h->multi, &ignored))) {
		char *t = NULL;

		if (msg->msg == CURLMSG_DONE &&
		    !curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t))
			finish((struct http_transfer *)t, msg->data.result);
	}
}

/* curl's own names for poll's struct and flags: on Linux nothing but the names differs. */
_Static_assert(sizeof(struct pollfd) == sizeof(struct curl_waitfd) &&
		   offsetof(struct pollfd, fd) == offsetof(struct curl_waitfd, fd) &&
		   offsetof(struct pollfd, events) == offsetof(struct curl_waitfd, events) &&
		   offsetof(struct pollfd, revents) == offsetof(struct curl_waitfd, revents) &&
		   POLLIN == CURL_WAIT_POLLIN && POLLPRI == CURL_WAIT_POLLPRI &&
		   POLLOUT == CURL_WAIT_POLLOUT,
	       "curl_waitfd is not pollfd");

int http_wait(struct http *h, struct pollfd *fds, unsigned n, int timeout_ms)
{
	/* curl leaves them as they were when the time runs out. */
	for (unsigned i = 0; i < n; i++)
		fds[i].revents = 0;
	return curl_multi_poll(h->multi, (void *)fds, n, timeout_ms, NULL) ? -ENOMEM : 0;
}
