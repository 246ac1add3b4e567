/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One face for the scanners of all protocols that a server may be spoken to in. Called by conn.c for
 * accepted connections. Context: APP. What none of them takes is given up at once and for good.
 */
#include "shim/protocol.h"

#include <string.h>

void protocol_init(struct protocol_scanner *p)
{
	memset(p, 0, sizeof(*p));
}

static ssize_t give_up(struct protocol_scanner *p, ssize_t error)
{
	if (!p->protocol)
		p->protocol = PROTOCOL_OPAQUE;
	p->error = (uint8_t)-error;
	return error;
}

static void become(struct protocol_scanner *p, enum protocol protocol)
{
	protocol_init(p);
	p->protocol = (uint8_t)protocol;
}

/* As protocol_received(), but p->begins is relative to these bytes and set for TLS only. */
static ssize_t feed(struct protocol_scanner *p, const uint8_t *s, size_t n)
{
	size_t at = 0;
	ssize_t ret;

	switch (p->protocol) {
	case PROTOCOL_HTTP1:
		ret = http1_feed(&p->http1, s, n);
		if (ret > 0)
			http1_response_expect(&p->response, http1_request(&p->http1)->method);
		return ret;
	case PROTOCOL_FASTCGI:
		return fastcgi_feed(&p->fastcgi, s, n);
	case PROTOCOL_UWSGI:
		ret = uwsgi_feed(&p->uwsgi, s, n);
		if (ret > 0)
			http1_response_expect(&p->uwsgi_response, p->uwsgi.request.method);
		return ret;
	case PROTOCOL_POSTGRES:
		ret = pgwire_feed(&p->pgwire, s, n, &at);
		break;
	case PROTOCOL_MYSQL:
		ret = mysqlwire_feed(&p->mysqlwire, s, n, &at);
		break;
	default:
		return -EPROTO;
	}
	p->begins = (int32_t)at;
	return ret;
}

/*
 * The first bytes, until it is known what they are. > 0: a head ended after that many, or none did and
 * that many were taken in: *found says which.
 */
static ssize_t detect(struct protocol_scanner *p, const uint8_t *s, size_t n, bool *head)
{
	struct protocol_detect *d = &p->detect;
	size_t at = 0;

	*head = false;
	if (d->greeted)
		return -EPROTO;
	while (at < n) {
		enum protocol found;
		uint8_t first[sizeof(d->held)];
		size_t length;
		int ret = protocol_detect(d, s[at++], &found);
		ssize_t used;

		if (ret == PROTOCOL_TLS_BEGINS) {
			p->begins = (int32_t)at - d->length;
			d->length = 0;
		}
		if (ret)
			return ret;
		if (!found)
			continue;
		length = d->length;
		memcpy(first, d->held, length);
		become(p, found);
		used = feed(p, first, length);
		if (used < 0)
			return used;
		/* Nothing that is worth a request is shorter than what tells its protocol. */
		if (used && (size_t)used < length)
			return -EPROTO;
		*head = used > 0;
		break;
	}
	return (ssize_t)at;
}

/* Bytes of a protocol that has begun in earlier calls and may yet turn out to be HTTP/2. */
static int32_t pending(const struct protocol_scanner *p)
{
	if (p->protocol == PROTOCOL_UNKNOWN)
		return p->detect.length;
	return p->protocol == PROTOCOL_HTTP1 ? (int32_t)http1_pending(&p->http1) : 0;
}

ssize_t protocol_received(struct protocol_scanner *p, const void *bytes, size_t n)
{
	int32_t earlier = pending(p), header = 0;
	const uint8_t *s = bytes;
	size_t at = 0;
	ssize_t ret;

	if (p->error)
		return -(ssize_t)p->error;
	if (p->protocol == PROTOCOL_UNKNOWN) {
		bool head;

		ret = detect(p, s, n, &head);
		if (ret < 0)
			return ret == PROTOCOL_TLS_BEGINS ? ret : give_up(p, ret);
		at = (size_t)ret;
		if (head)
			return ret;
		header = (int32_t)at - pending(p);
		if (at == n)
			return 0;
	} else {
		header = -earlier;
	}
	ret = feed(p, s + at, n - at);
	if (ret == PROTOCOL_TLS_BEGINS) {
		p->begins += (int32_t)at;
		return ret;
	}
	if (ret == PROTOCOL_HTTP2_BEGINS)
		p->begins = header;
	if (ret < 0)
		return give_up(p, ret);
	return ret ? ret + (ssize_t)at : 0;
}

/* Of *n bytes; afterwards, how many came behind the last response that has ended. */
static int response_sent(struct http1_response *r, const uint8_t *s, size_t *n)
{
	bool ended = false;

	while (*n && !http1_response_over(r)) {
		ssize_t ret = s ? http1_response_feed(r, s, *n) : http1_response_skip(r, *n);

		if (ret <= 0)
			return ret < 0 ? -1 : 0;
		ended = true;
		s = s ? s + ret : NULL;
		*n -= (size_t)ret;
	}
	return http1_response_over(r) ? -1 : ended && !r->awaited;
}

static int http1_sent(struct protocol_scanner *p, const uint8_t *s, size_t n)
{
	size_t left = n;
	int ret = response_sent(&p->response, s, &left);
	/* A body goes before the frames. */
	bool upgrade = p->http1.request.upgrade_http2 && http1_where(&p->http1) == HTTP1_BETWEEN;

	if (!upgrade || p->response.status != 101 || !http1_response_over(&p->response))
		return ret;
	p->begins = (int32_t)(n - left);
	return PROTOCOL_HTTP2_BEGINS;
}

static int fastcgi_sent(struct fastcgi *f, const uint8_t *s, size_t n)
{
	bool ended = false;

	while (n) {
		ssize_t ret = fastcgi_answer(f, s, n);

		if (ret < 0)
			return -1;
		if (!ret)
			return 0;
		ended = true;
		s = s ? s + ret : NULL;
		n -= (size_t)ret;
	}
	return ended;
}

static int postgres_sent(struct pgwire *p, const uint8_t *s, size_t n)
{
	bool ended = false;

	while (n) {
		ssize_t ret = pgwire_answer(p, s, n);

		if (ret < 0)
			return -1;
		if (!ret)
			break;
		ended = true;
		s = s ? s + ret : NULL;
		n -= (size_t)ret;
	}
	return ended && !p->awaited;
}

static int mysql_sent(struct mysqlwire *m, const uint8_t *s, size_t n)
{
	bool ended = false;
	ssize_t ret;

	while (n && (ret = mysqlanswer_feed(&m->answer, s, n)) > 0) {
		ended = true;
		s += ret;
		n -= (size_t)ret;
	}
	return ended;
}

static int server_first(struct protocol_scanner *p, const uint8_t *s, size_t n)
{
	int ret = protocol_greeting(&p->detect, s, n);

	if (ret < 0)
		give_up(p, ret);
	else if (ret)
		become(p, PROTOCOL_MYSQL);
	return ret < 0 ? -1 : 0;
}

int protocol_sent(struct protocol_scanner *p, const void *bytes, size_t n)
{
	int ret;

	if (p->unanswerable)
		return -1;
	switch (p->protocol) {
	case PROTOCOL_UNKNOWN: ret = n ? server_first(p, bytes, n) : 0; break;
	case PROTOCOL_HTTP1:
		ret = http1_sent(p, bytes, n);
		break;
	case PROTOCOL_UWSGI:
		ret = response_sent(&p->uwsgi_response, bytes, &n);
		break;
	case PROTOCOL_FASTCGI: ret = fastcgi_sent(&p->fastcgi, bytes, n); break;
	case PROTOCOL_POSTGRES: ret = postgres_sent(&p->pgwire, bytes, n); break;
	case PROTOCOL_MYSQL:
		ret = mysql_sent(&p->mysqlwire, bytes, n);
		break;
	default: ret = -1; break;
	}
	p->unanswerable = ret < 0;
	return ret;
}

unsigned int protocol_status(const struct protocol_scanner *p)
{
	if (p->protocol == PROTOCOL_HTTP1)
		return p->response.status;
	return p->protocol == PROTOCOL_UWSGI ? p->uwsgi_response.status : 0;
}

const struct request_head *protocol_head(const struct protocol_scanner *p)
{
	static const struct request_head none;

	switch (p->protocol) {
	case PROTOCOL_HTTP1: return &p->http1.request;
	case PROTOCOL_FASTCGI: return &p->fastcgi.request;
	case PROTOCOL_UWSGI: return &p->uwsgi.request;
	case PROTOCOL_POSTGRES: return &p->pgwire.request;
	case PROTOCOL_MYSQL: return &p->mysqlwire.request;
	default: return &none;
	}
}
