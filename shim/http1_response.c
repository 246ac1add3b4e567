/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/1 response scanner (RFC 9112, sections 4, 6 and 7). Called by protocol.c for what a server
 * writes. Context: APP. It knows what decides where a response ends and nothing else; in doubt it
 * says that it is lost, and no end is reported from there on.
 */
#include "shim/http1_response.h"

#include <errno.h>
#include <string.h>

#include "shim/hex.h"
#include "shim/ows.h"

enum state {
	AT_RESPONSE, /* zero */
	IN_STATUS,   /* in the status line, as far as the code */
	IN_REASON,
	AT_LINE,
	IN_NAME,
	IN_LENGTH,
	IN_CODING,
	IN_LINE,
	IN_CHUNK_SIZE,
	AFTER_CHUNK_SIZE,
	AFTER_CHUNK,
	AT_TRAILER,
	IN_TRAILER,
	IN_BODY, /* from here on bytes need not be seen */
	IN_CHUNK,
	UNTIL_CLOSE,
	LOST,
};

enum { SEEN_LENGTH = 1, SEEN_CODING = 2, SEEN_CHUNKED = 4, SEEN_CR = 8, SEEN_DIGITS_END = 16 };
enum { NAME_LENGTH = 1, NAME_CODING = 2, NO_WORD = 255 };

static const char *const names[] = {"content-length", "transfer-encoding"};

static ssize_t lose(struct http1_response *r, int error)
{
	r->state = LOST;
	r->error = (uint8_t)error;
	return -error;
}

void http1_response_expect(struct http1_response *r, const char *method)
{
	if (r->state == LOST)
		return;
	if (r->awaited >= HTTP1_RESPONSE_AWAITED_MAX) {
		lose(r, EPROTO);
		return;
	}
	r->heads |= (uint16_t)(!strcmp(method, "HEAD") << r->awaited);
	r->connects |= (uint16_t)(!strcmp(method, "CONNECT") << r->awaited);
	r->awaited++;
}

/* True: the response is complete. */
static bool finish(struct http1_response *r)
{
	r->state = AT_RESPONSE;
	r->awaited--;
	r->heads >>= 1;
	r->connects >>= 1;
	return true;
}

/* > 0: the response has ended with its head. */
static ssize_t head_done(struct http1_response *r)
{
	bool success = r->status / 100 == 2;

	r->head = 0;
	if (r->status == 101 || (r->connects & 1 && success)) {
		lose(r, EPROTONOSUPPORT);
		return 1;
	}
	if (r->status / 100 == 1) {
		r->state = AT_RESPONSE; /* interim: the final one is still to come */
		return 0;
	}
	if (r->heads & 1 || r->status == 204 || r->status == 304)
		return finish(r);
	if (r->seen & SEEN_CODING && r->seen & SEEN_LENGTH)
		return lose(r, EPROTO);
	if (r->seen & SEEN_CODING && r->seen & SEEN_CHUNKED)
		r->state = IN_CHUNK_SIZE, r->left = 0, r->position = 0;
	else if (r->seen & SEEN_LENGTH && !r->left)
		return finish(r);
	else
		r->state = r->seen & SEEN_LENGTH ? IN_BODY : UNTIL_CLOSE;
	return 0;
}

static ssize_t status_byte(struct http1_response *r, char c)
{
	static const char form[] = "HTTP/1.d ddd";
	char expected = form[r->position];

	if (expected == 'd' ? c < '0' || c > '9' : c != expected)
		return lose(r, EPROTO);
	if (r->position > 8)
		r->status = (uint16_t)(r->status * 10 + (c - '0'));
	if (!form[++r->position])
		r->state = IN_REASON;
	return 0;
}

static ssize_t begin_response(struct http1_response *r, char c)
{
	if (!r->awaited)
		return lose(r, EPROTO);
	r->state = IN_STATUS;
	r->position = r->seen = 0;
	r->status = 0;
	r->left = 0;
	return status_byte(r, c);
}

static ssize_t reason_byte(struct http1_response *r, char c)
{
	if (r->status < 100 || (r->position == 12 && c != ' ' && c != '\n'))
		return lose(r, EPROTO);
	r->position = 13;
	if (c == '\n')
		r->state = AT_LINE;
	return 0;
}

static ssize_t name_byte(struct http1_response *r, char c)
{
	char low = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	uint8_t left = 0;

	for (int i = 0; i < 2; i++) {
		if (!(r->names >> i & 1))
			continue;
		if (c == ':' && !names[i][r->position])
			r->state = i ? IN_CODING : IN_LENGTH;
		left |= (uint8_t)((low && names[i][r->position] == low) << i);
	}
	if (r->state != IN_NAME) {
		/* Two lengths, even if equal, are not worth a guess. */
		if (r->state == IN_LENGTH && r->seen & SEEN_LENGTH)
			return lose(r, EPROTO);
		r->seen |= r->state == IN_LENGTH ? SEEN_LENGTH : SEEN_CODING;
		r->seen &= (uint8_t)~SEEN_DIGITS_END;
		r->position = 0;
		return 0;
	}
	if (c == '\n')
		r->state = AT_LINE;
	else if (!left)
		r->state = IN_LINE;
	r->names = left;
	r->position++;
	return 0;
}

static ssize_t line_byte(struct http1_response *r, char c)
{
	if (c == '\n')
		return head_done(r);
	if (is_ows(c)) /* a folded line: whatever it continues cannot be told */
		return lose(r, EPROTO);
	r->state = IN_NAME;
	r->names = NAME_LENGTH | NAME_CODING;
	r->position = 0;
	return name_byte(r, c);
}

static ssize_t length_byte(struct http1_response *r, char c)
{
	if (c == '\n') {
		r->state = AT_LINE;
		return r->position ? 0 : lose(r, EPROTO);
	}
	if (is_ows(c)) {
		if (r->position)
			r->seen |= SEEN_DIGITS_END;
		return 0;
	}
	if (c < '0' || c > '9' || r->seen & SEEN_DIGITS_END || r->left > (INT64_MAX - 9) / 10)
		return lose(r, EPROTO);
	r->left = r->left * 10 + (uint64_t)(c - '0');
	r->position = 1;
	return 0;
}

/* position: bytes of "chunked" that this element of the list has had; NO_WORD: it is another. */
static ssize_t coding_byte(struct http1_response *r, char c)
{
	static const char chunked[] = "chunked";

	if (c == ',' || c == '\n') {
		if (r->position && r->seen & SEEN_CHUNKED)
			return lose(r, EPROTO);
		if (r->position == strlen(chunked))
			r->seen |= SEEN_CHUNKED;
		r->seen &= (uint8_t)~SEEN_DIGITS_END;
		r->position = 0;
		if (c == '\n')
			r->state = AT_LINE;
	} else if (is_ows(c)) {
		if (r->position)
			r->seen |= SEEN_DIGITS_END;
	} else if (r->position < strlen(chunked) && (c | 0x20) == chunked[r->position] &&
		   !(r->seen & SEEN_DIGITS_END)) {
		r->position++;
	} else {
		r->position = NO_WORD;
	}
	return 0;
}

static ssize_t chunk_size_byte(struct http1_response *r, char c)
{
	int digit = hex_digit(c);

	if (digit < 0 && !r->position)
		return lose(r, EPROTO);
	if (c == '\n') {
		r->state = r->left ? IN_CHUNK : AT_TRAILER;
	} else if (digit < 0) {
		r->state = AFTER_CHUNK_SIZE;
		return c == ';' || is_ows(c) ? 0 : lose(r, EPROTO);
	} else if (r->left >> 59) {
		return lose(r, EPROTO);
	}
	if (digit >= 0) {
		r->left = r->left << 4 | (uint64_t)digit;
		r->position = 1;
	}
	return 0;
}

static ssize_t rest_of_line(struct http1_response *r, char c, enum state next)
{
	if (c == '\n')
		r->state = (uint8_t)next;
	return 0;
}

/* > 0: a final response has ended with this byte. */
static ssize_t byte(struct http1_response *r, char c)
{
	bool cr = r->seen & SEEN_CR;

	if (r->state == AT_RESPONSE)
		return begin_response(r, c);
	/* A CR is the first half of a line's end or none of ours. */
	r->seen &= (uint8_t)~SEEN_CR;
	if (cr ? c != '\n' : !c)
		return lose(r, EPROTO);
	if (c == '\r' && r->state != IN_STATUS) {
		r->seen |= SEEN_CR;
		return 0;
	}
	switch (r->state) {
	case IN_STATUS: return status_byte(r, c);
	case IN_REASON: return reason_byte(r, c);
	case AT_LINE: return line_byte(r, c);
	case IN_NAME: return name_byte(r, c);
	case IN_LENGTH: return length_byte(r, c);
	case IN_CODING: return coding_byte(r, c);
	case IN_LINE: return rest_of_line(r, c, AT_LINE);
	case IN_CHUNK_SIZE: return chunk_size_byte(r, c);
	case AFTER_CHUNK_SIZE: return rest_of_line(r, c, r->left ? IN_CHUNK : AT_TRAILER);
	case AFTER_CHUNK:
		r->state = IN_CHUNK_SIZE;
		r->position = 0;
		return c == '\n' ? 0 : lose(r, EPROTO);
	case AT_TRAILER:
		if (c == '\n')
			return finish(r);
		r->state = IN_TRAILER;
		return 0;
	default: return rest_of_line(r, c, AT_TRAILER);
	}
}

/* Some of n bytes of a body: how many; *ended: and the response with them. */
static size_t body(struct http1_response *r, size_t n, bool *ended)
{
	if (r->state == UNTIL_CLOSE)
		return n;
	if (n > r->left)
		n = (size_t)r->left;
	r->left -= n;
	r->head = 0;
	if (!r->left && r->state == IN_CHUNK)
		r->state = AFTER_CHUNK;
	else if (!r->left)
		*ended = finish(r);
	return n;
}

ssize_t http1_response_feed(struct http1_response *r, const void *bytes, size_t n)
{
	const char *s = bytes;
	bool ended = false;

	if (r->state == LOST)
		return -(ssize_t)r->error;
	for (size_t at = 0; at < n;) {
		ssize_t ret;

		if (r->state >= IN_BODY) {
			at += body(r, n - at, &ended);
			if (ended)
				return (ssize_t)at;
			continue;
		}
		if (r->head++ >= HTTP1_RESPONSE_HEAD_MAX)
			return lose(r, E2BIG);
		ret = byte(r, s[at++]);
		if (r->state == AT_RESPONSE || r->state >= IN_BODY)
			r->head = 0;
		if (ret)
			return ret < 0 ? ret : (ssize_t)at;
	}
	return 0;
}

ssize_t http1_response_skip(struct http1_response *r, size_t n)
{
	bool ended = false;
	size_t took;

	if (r->state == LOST || !n)
		return -(ssize_t)r->error;
	if (r->state < IN_BODY)
		return lose(r, EPROTO);
	took = body(r, n, &ended);
	if (ended)
		return (ssize_t)took;
	return took < n ? lose(r, EPROTO) : 0;
}

bool http1_response_over(const struct http1_response *r)
{
	return r->error == EPROTONOSUPPORT;
}

bool http1_response_until_close(const struct http1_response *r)
{
	return r->state == UNTIL_CLOSE;
}
