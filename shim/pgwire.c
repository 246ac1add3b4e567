/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PostgreSQL scanner (PostgreSQL's manual, chapter "Frontend/Backend Protocol"). Called by
 * protocol.c. Context: APP. Only the texts of Query and Parse are looked at; everything else is
 * passed over by its length. A message it does not know ends the scan.
 */
#include "shim/pgwire.h"

#include <errno.h>
#include <string.h>

enum state { AT_STARTUP, IN_STARTUP, AFTER_NEGOTIATION, AT_MESSAGE, IN_MESSAGE };
enum text { NO_TEXT, STATEMENT_NAME, STATEMENT, PORTAL_NAME, BOUND_NAME, BOUND };

enum { CODE_CANCEL = 80877102, CODE_SSL, CODE_GSS };
enum { STARTUP_MAX = 10000, MESSAGE_MAX = 0x3fffffff, LENGTH = 4, HEADER = 5, TLS_HANDSHAKE = 0x16 };

#define HASH_BEGIN 2166136261U /* FNV-1a */
#define HASH_FACTOR 16777619U

static uint32_t big_endian(const uint8_t *s)
{
	return (uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 | (uint32_t)s[2] << 8 | s[3];
}

/* Its length and code are there. */
static int begin_startup(struct pgwire *p)
{
	uint32_t length = big_endian(p->header), code = big_endian(p->header + 4);

	p->header_length = 0;
	if (length < 8 || length > STARTUP_MAX)
		return -EPROTO;
	p->left = length - 8;
	if (code == CODE_SSL || code == CODE_GSS) {
		p->negotiates = true;
		p->state = AFTER_NEGOTIATION;
		return p->left ? -EPROTO : 0;
	}
	if (code >> 16 != 3) /* also a cancellation, after which nothing comes */
		return -EPROTO;
	p->state = p->left ? IN_STARTUP : AT_MESSAGE;
	return 0;
}

/* What the statement that has ended says, beside what others of its batch have said. */
static void end_statement(struct pgwire *p)
{
	struct request_head *r = &p->request;
	struct trace_context context;

	p->text = NO_TEXT;
	p->parsed = p->name;
	if (!sqlcomment_end(&p->comment, &context))
		return;
	if (r->has_context && memcmp(&r->context, &context, sizeof(context)))
		p->conflict = true;
	r->has_context = true;
	r->context = context;
}

static void begin_batch(struct pgwire *p)
{
	if (p->batch)
		return;
	memset(&p->request, 0, sizeof(p->request));
	p->conflict = p->parses = p->runs = p->runs_prepared = p->runs_other = false;
	p->parsed = 0;
	p->batch = true;
}

/* The batch is complete. */
static void end_batch(struct pgwire *p)
{
	struct request_head *r = &p->request;

	p->batch = false;
	if (p->runs_prepared && !p->runs_other && !p->parses)
		r->has_context = sqlcomment_end(&p->comment, &r->context);
	p->prepared = p->parses && !p->runs ? p->parsed : 0;
	if (!p->conflict)
		return;
	memset(&r->context, 0, sizeof(r->context));
	r->has_context = false;
}

/* A message's type and length are there. */
static int begin_message(struct pgwire *p)
{
	uint32_t length = big_endian(p->header + 1);

	p->header_length = 0;
	if (length < LENGTH || length > MESSAGE_MAX || !strchr("QPBEDCHSFpdcfX", p->header[0]))
		return -EPROTO;
	p->left = length - LENGTH;
	p->text = NO_TEXT;
	p->name = HASH_BEGIN;
	switch (p->header[0]) {
	case 'Q':
	case 'P':
		p->text = p->header[0] == 'Q' ? STATEMENT : STATEMENT_NAME;
		begin_batch(p);
		p->runs |= p->parses || p->header[0] == 'Q';
		p->parses = true;
		sqlcomment_begin(&p->comment, SQL_POSTGRES, &p->request);
		break;
	case 'E':
		begin_batch(p);
		p->runs = true;
		if (!p->request.method[0])
			strcpy(p->request.method, "EXECUTE");
		break;
	case 'B':
		begin_batch(p);
		p->runs = true;
		p->text = PORTAL_NAME;
		break;
	case 'F':
		begin_batch(p);
		p->runs = p->runs_other = true;
		break;
	case 'D':
	case 'C':
		begin_batch(p);
		break;
	default:
		break;
	}
	p->state = IN_MESSAGE;
	return 0;
}

/* A name, up to its NUL, with which what follows it begins: how much. */
static size_t name(struct pgwire *p, const char *s, size_t n, enum text next)
{
	for (size_t i = 0; i < n; i++) {
		if (!s[i]) {
			p->text = (uint8_t)next;
			return i + 1;
		}
		if (p->text != PORTAL_NAME)
			p->name = (p->name ^ (uint8_t)s[i]) * HASH_FACTOR;
	}
	return n;
}

/* What a Bind message begins with. */
static void bind(struct pgwire *p, const char *s, size_t n)
{
	size_t took = p->text == PORTAL_NAME ? name(p, s, n, BOUND_NAME) : 0;

	if (p->text == BOUND_NAME)
		name(p, s + took, n - took, BOUND);
	if (p->text != BOUND)
		return;
	p->text = NO_TEXT;
	if (p->prepared && p->name == p->prepared)
		p->runs_prepared = true;
	else
		p->runs_other = true;
}

/* The name, then the text, each up to its NUL. */
static void statement(struct pgwire *p, const char *s, size_t n)
{
	const char *nul;
	size_t took;

	if (p->text == STATEMENT_NAME) {
		took = name(p, s, n, STATEMENT);
		s += took;
		n -= took;
	}
	if (p->text != STATEMENT || !n)
		return;
	nul = memchr(s, 0, n);
	sqlcomment_feed(&p->comment, &p->request, s, nul ? (size_t)(nul - s) : n);
	if (nul)
		end_statement(p);
}

/* > 0: it completes a request. A text that has no end is an error that the server will answer. */
static int end_message(struct pgwire *p)
{
	char type = (char)p->header[0];
	bool runs = type == 'Q' || type == 'F' || type == 'S', flush = type == 'H' && p->batch;
	bool reported = type == 'S' && !p->batch;

	p->state = AT_MESSAGE;
	p->text = NO_TEXT;
	if (runs)
		p->awaited++;
	if ((!runs && !flush) || reported)
		return 0;
	end_batch(p);
	return 1;
}

static int header_byte(struct pgwire *p, uint8_t c)
{
	size_t length = p->state == AT_MESSAGE ? HEADER : 2 * LENGTH;

	p->header[p->header_length++] = c;
	/* A byte that begins no length that we would take: other protocols are told apart at once. */
	if (p->state != AT_MESSAGE && p->header_length == 1 && c)
		return -EPROTO;
	if (p->header_length < length)
		return 0;
	return p->state == AT_MESSAGE ? begin_message(p) : begin_startup(p);
}

static int step(struct pgwire *p, const uint8_t *s, size_t n, size_t *took)
{
	bool between = p->state == AT_STARTUP || p->state == AT_MESSAGE;
	int ret;

	*took = 1;
	if (p->state == AFTER_NEGOTIATION) {
		*took = 0;
		p->state = AT_STARTUP;
		return *s == TLS_HANDSHAKE ? PGWIRE_TLS_BEGINS : 0;
	}
	if (between) {
		ret = header_byte(p, *s);
		if (ret || p->state != IN_MESSAGE || p->left)
			return ret;
		return end_message(p);
	}
	*took = n < p->left ? n : p->left;
	p->left -= (uint32_t)*took;
	if (p->state == IN_MESSAGE && p->text >= PORTAL_NAME)
		bind(p, (const char *)s, *took);
	else if (p->state == IN_MESSAGE && p->text)
		statement(p, (const char *)s, *took);
	if (p->left)
		return 0;
	if (p->state == IN_MESSAGE)
		return end_message(p);
	p->state = AT_MESSAGE;
	return 0;
}

ssize_t pgwire_feed(struct pgwire *p, const void *bytes, size_t n, size_t *at)
{
	const uint8_t *s = bytes;
	size_t took;

	if (p->error)
		return -(ssize_t)p->error;
	for (*at = 0; *at < n;) {
		int ret = step(p, s + *at, n - *at, &took);

		*at += took;
		if (ret < 0 && ret != PGWIRE_TLS_BEGINS)
			p->error = (uint8_t)-ret;
		if (ret)
			return ret < 0 ? ret : (ssize_t)*at;
	}
	return 0;
}

/* > 0: a ReadyForQuery is complete. */
static int answer_step(struct pgwire *p, const uint8_t *s, size_t n, size_t *took)
{
	*took = 1;
	if (p->negotiates) {
		p->negotiates = false;
		return 0;
	}
	if (p->answer_length < HEADER) {
		uint32_t length;

		if (!s)
			return -EPROTO;
		p->answer[p->answer_length++] = *s;
		if (p->answer_length < HEADER)
			return 0;
		length = big_endian(p->answer + 1);
		if (length < LENGTH || length > MESSAGE_MAX)
			return -EPROTO;
		p->answer_left = length - LENGTH;
	} else {
		*took = n < p->answer_left ? n : p->answer_left;
		p->answer_left -= (uint32_t)*took;
	}
	if (p->answer_left)
		return 0;
	p->answer_length = 0;
	/* The first one says that the session has begun. */
	if (p->answer[0] != 'Z' || !p->awaited)
		return 0;
	p->awaited--;
	return 1;
}

ssize_t pgwire_answer(struct pgwire *p, const void *bytes, size_t n)
{
	const uint8_t *s = bytes;
	size_t took;

	if (p->answer_error)
		return -(ssize_t)p->answer_error;
	for (size_t at = 0; at < n; at += took) {
		int ret = answer_step(p, s ? s + at : NULL, n - at, &took);

		if (ret < 0)
			p->answer_error = (uint8_t)-ret;
		if (ret)
			return ret < 0 ? ret : (ssize_t)(at + took);
	}
	return 0;
}
