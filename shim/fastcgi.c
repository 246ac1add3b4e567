/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The FastCGI scanner. Called by protocol.c. Context: APP. Records that it does not know, or that
 * come for another request than the live one, make it give up: two requests on one connection are
 * worked on side by side, and no call says on which.
 */
#include "shim/fastcgi.h"

#include <errno.h>
#include <string.h>

enum type { BEGIN = 1, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, VALUES, UNKNOWN };
enum pair { PAIR_LENGTHS, PAIR_LENGTHS_VALUE, PAIR_NAME, PAIR_VALUE };
enum { HEADER = 8, BEGIN_CONTENT = 8 };

static uint16_t id_of(const uint8_t *header)
{
	return (uint16_t)(header[2] << 8 | header[3]);
}

static uint16_t content_of(const uint8_t *header)
{
	return (uint16_t)(header[4] << 8 | header[5]);
}

static int begin_request(struct fastcgi *f)
{
	uint16_t id = id_of(f->header);

	if (!id || content_of(f->header) != BEGIN_CONTENT)
		return -EPROTO;
	/* The end of an answer may have gone by unseen, but the next request has the same id then. */
	if (f->id && (f->id != id || !f->input_done))
		return -EPROTO;
	memset(&f->request, 0, sizeof(f->request));
	memset(&f->cgi, 0, sizeof(f->cgi));
	f->params = 0;
	f->pair = PAIR_LENGTHS;
	f->length_bytes = 0;
	f->head_done = f->input_done = false;
	f->id = id;
	return 0;
}

/* A record's header is complete. */
static int begin_record(struct fastcgi *f)
{
	const uint8_t *header = f->header;
	uint16_t content = content_of(header);
	bool ours = f->id && id_of(header) == f->id;

	f->left = content;
	if (header[0] != 1)
		return -EPROTO;
	switch (header[1]) {
	case BEGIN:
		return begin_request(f);
	case PARAMS:
		if (!ours || f->head_done)
			return -EPROTO;
		f->params += content;
		return f->params > FASTCGI_PARAMS_MAX ? -E2BIG : 0;
	case STDIN:
	case DATA:
		f->input_done |= header[1] == STDIN && !content;
		/* PHP reads what is left of a request's input when it has answered it. */
		return ours || !f->id ? 0 : -EPROTO;
	case ABORT:
		/* It may come when the answer has ended already. */
		return id_of(header) ? 0 : -EPROTO;
	case GET_VALUES:
		return id_of(header) ? -EPROTO : 0;
	default:
		return -EPROTO;
	}
}

/* One byte of a length: 7 bits, or 31 with the first bit set. */
static void length_byte(struct fastcgi *f, uint8_t c)
{
	uint32_t *length = &f->lengths[f->pair == PAIR_LENGTHS_VALUE];

	if (f->length_bytes) {
		*length = *length << 8 | c;
		f->length_bytes--;
	} else {
		*length = c & 0x7f;
		f->length_bytes = c & 0x80 ? 3 : 0;
	}
	if (!f->length_bytes)
		f->pair++;
}

/* Parts that are over, be they empty. */
static void next_part(struct fastcgi *f)
{
	if (f->pair == PAIR_NAME && !f->lengths[0]) {
		cgi_name_end(&f->cgi, &f->request);
		f->pair = PAIR_VALUE;
	}
	if (f->pair == PAIR_VALUE && !f->lengths[1]) {
		cgi_value_end(&f->cgi);
		f->pair = PAIR_LENGTHS;
	}
}

static void params(struct fastcgi *f, const uint8_t *s, size_t n)
{
	while (n) {
		uint32_t *left = &f->lengths[f->pair == PAIR_VALUE];
		size_t part = 1;

		if (f->pair < PAIR_NAME) {
			length_byte(f, *s);
		} else {
			part = n < *left ? n : *left;
			*left -= (uint32_t)part;
			if (f->pair == PAIR_NAME)
				cgi_name(&f->cgi, (const char *)s, part);
			else
				cgi_value(&f->cgi, &f->request, (const char *)s, part);
		}
		next_part(f);
		s += part;
		n -= part;
	}
}

/* The roles that answer requests: responder, authorizer, filter. */
static bool is_role(const uint8_t *content, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++, at++) {
		if ((at == 0 && content[i]) || (at == 1 && (!content[i] || content[i] > 3)))
			return false;
	}
	return true;
}

static int content(struct fastcgi *f, const uint8_t *s, size_t n)
{
	if (f->header[1] == PARAMS)
		params(f, s, n);
	else if (f->header[1] == BEGIN && !is_role(s, (size_t)(BEGIN_CONTENT - f->left), n))
		return -EPROTO;
	f->left -= (uint16_t)n;
	return 0;
}

/* The record is complete: is a head? < 0: it stops inside a pair. */
static int end_record(struct fastcgi *f)
{
	f->header_length = 0;
	if (f->header[1] != PARAMS || content_of(f->header))
		return 0;
	if (f->pair != PAIR_LENGTHS || f->length_bytes)
		return -EPROTO;
	cgi_end(&f->cgi, &f->request);
	f->head_done = true;
	return 1;
}

/* Some of the n bytes at s, in *took; then as fastcgi_feed(). */
static int step(struct fastcgi *f, const uint8_t *s, size_t n, size_t *took)
{
	int ret;

	*took = 1;
	if (f->header_length < HEADER) {
		f->header[f->header_length++] = *s;
		ret = f->header_length == HEADER ? begin_record(f) : 0;
	} else if (f->left) {
		*took = n < f->left ? n : f->left;
		ret = content(f, s, *took);
	} else {
		*took = n < f->header[6] ? n : f->header[6];
		f->header[6] -= (uint8_t)*took;
		ret = 0;
	}
	if (ret || f->header_length < HEADER || f->left || f->header[6])
		return ret;
	return end_record(f);
}

ssize_t fastcgi_feed(struct fastcgi *f, const void *bytes, size_t n)
{
	const uint8_t *s = bytes;
	size_t took;

	if (f->error)
		return -(ssize_t)f->error;
	for (size_t at = 0; at < n; at += took) {
		int ret = step(f, s + at, n - at, &took);

		if (ret < 0)
			f->error = (uint8_t)-ret;
		if (ret)
			return ret < 0 ? ret : (ssize_t)(at + took);
	}
	return 0;
}

static ssize_t lose_answer(struct fastcgi *f)
{
	f->answer_error = EPROTO;
	return -EPROTO;
}

static bool is_answer(const uint8_t *header)
{
	uint8_t type = header[1];

	return header[0] == 1 && (type == END || type == STDOUT || type == STDERR || type == VALUES ||
				  type == UNKNOWN);
}

/* Of the record that is being written, all is skipped but its header: > 0, it ended a request. */
static int answer_step(struct fastcgi *f, const uint8_t *s, size_t n, size_t *took)
{
	*took = 1;
	if (f->answer_length < HEADER) {
		if (!s)
			return -EPROTO;
		f->answer[f->answer_length++] = *s;
		if (f->answer_length == HEADER && !is_answer(f->answer))
			return -EPROTO;
		f->answer_left = content_of(f->answer);
	} else if (f->answer_left) {
		*took = n < f->answer_left ? n : f->answer_left;
		f->answer_left -= (uint16_t)*took;
	} else {
		*took = n < f->answer[6] ? n : f->answer[6];
		f->answer[6] -= (uint8_t)*took;
	}
	if (f->answer_length < HEADER || f->answer_left || f->answer[6])
		return 0;
	f->answer_length = 0;
	if (f->answer[1] != END || !f->id || id_of(f->answer) != f->id)
		return 0;
	f->id = 0;
	return 1;
}

ssize_t fastcgi_answer(struct fastcgi *f, const void *bytes, size_t n)
{
	const uint8_t *s = bytes;
	size_t took;

	if (f->answer_error)
		return -(ssize_t)f->answer_error;
	for (size_t at = 0; at < n; at += took) {
		int ret = answer_step(f, s ? s + at : NULL, n - at, &took);

		if (ret < 0)
			return lose_answer(f);
		if (ret)
			return (ssize_t)(at + took);
	}
	return 0;
}
