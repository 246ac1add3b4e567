/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace context in headers: W3C, B3 (one header and several), Jaeger's and Datadog's. Called by the
 * scanners of the protocols that have headers. Context: APP; pure but for *p. It repairs nothing:
 * a header that is there twice, that its own format does not allow or that is cut where it matters
 * leaves the head without context.
 */
#include "shim/propagator.h"

#include <string.h>

#include "shim/hex.h"
#include "shim/ows.h"

enum {
	HELD_TRACE = 1,
	HELD_SPAN = 2,
	SAID_SAMPLED = 4,
	SAID_NOT_SAMPLED = 8,
	SAID_DEBUG = 16, /* sampled, whatever else is said */
	HELD_RANDOM = 32,
	SPOILT = 64,
};

/* An id whose leading zeros may have been left out, into size bytes. */
static bool take_hex(const char *s, size_t n, uint8_t *id, size_t size)
{
	if (!n || n > 2 * size)
		return false;
	memset(id, 0, size);
	for (size_t i = 0; i < n; i++) {
		size_t nibble = 2 * size - n + i;
		int digit = hex_lower_digit(s[i]);

		if (digit < 0)
			return false;
		id[nibble / 2] |= (uint8_t)(nibble % 2 ? digit : digit << 4);
	}
	return true;
}

static bool take_decimal(const char *s, size_t n, uint8_t *id)
{
	uint64_t value = 0;

	if (!n || n > 20)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' ||
		    __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s[i] - '0'), &value))
			return false;
	}
	for (int i = 8; i--; value >>= 8)
		id[i] = (uint8_t)value;
	return true;
}

static bool take_traceparent(struct propagator *p, const char *s, size_t n, bool cut)
{
	struct trace_context context;

	if (!traceparent_parse(s, n, &context))
		return false;
	memcpy(p->trace_id, context.trace_id, sizeof(p->trace_id));
	memcpy(p->span_id, context.span_id, sizeof(p->span_id));
	p->flags |= HELD_TRACE | HELD_SPAN;
	p->flags |= context.flags & TRACE_FLAG_SAMPLED ? SAID_SAMPLED : SAID_NOT_SAMPLED;
	if (context.flags & TRACE_FLAG_RANDOM)
		p->flags |= HELD_RANDOM;
	return true;
}

/* Trace ids of 64 bits are still in use; fewer digits than that are none. */
static bool take_b3_trace(struct propagator *p, const char *s, size_t n, bool cut)
{
	p->flags |= HELD_TRACE;
	return !cut && (n == 16 || n == 32) && take_hex(s, n, p->trace_id, sizeof(p->trace_id));
}

static bool take_b3_span(struct propagator *p, const char *s, size_t n, bool cut)
{
	p->flags |= HELD_SPAN;
	return !cut && n == 16 && take_hex(s, n, p->span_id, sizeof(p->span_id));
}

static bool is_word(const char *s, size_t n, const char *word)
{
	return n == strlen(word) && !memcmp(s, word, n);
}

static bool take_b3_sampled(struct propagator *p, const char *s, size_t n, bool cut)
{
	bool yes = is_word(s, n, "1") || is_word(s, n, "true");

	p->flags |= yes ? SAID_SAMPLED : SAID_NOT_SAMPLED;
	return yes || is_word(s, n, "0") || is_word(s, n, "false");
}

static bool take_b3_flags(struct propagator *p, const char *s, size_t n, bool cut)
{
	if (is_word(s, n, "1"))
		p->flags |= SAID_DEBUG;
	return is_word(s, n, "1") || is_word(s, n, "0");
}

/* trace-span, trace-span-state or trace-span-state-parent; or a state alone, which is no context. */
static bool take_b3(struct propagator *p, const char *s, size_t n, bool cut)
{
	const char *dash = memchr(s, '-', n);
	size_t trace = dash ? (size_t)(dash - s) : n, rest;

	if (!dash || cut || !take_b3_trace(p, s, trace, false))
		return false;
	s += trace + 1;
	rest = n - trace - 1;
	if (rest < 16 || !take_b3_span(p, s, 16, false))
		return false;
	if (rest == 16)
		return true;
	if (rest != 18 && !(rest == 35 && s[18] == '-'))
		return false;
	if (s[16] != '-')
		return false;
	if (s[17] == 'd')
		p->flags |= SAID_DEBUG;
	return s[17] == 'd' || take_b3_sampled(p, s + 17, 1, false);
}

/* The field that ends at a colon, percent-encoded or not, or at the end; *s moves behind that. */
static size_t uber_field(const char **s, const char *end)
{
	const char *from = *s;

	for (; *s < end; (*s)++) {
		size_t n = (size_t)(*s - from), left = (size_t)(end - *s);

		if (**s == ':') {
			*s += 1;
			return n;
		}
		if (left >= 3 && **s == '%' && (*s)[1] == '3' && ((*s)[2] | 0x20) == 'a') {
			*s += 3;
			return n;
		}
	}
	return (size_t)(end - from);
}

/* A parent is not used any more: 0 is usual. */
static bool take_uber(struct propagator *p, const char *s, size_t n, bool cut)
{
	const char *end = s + n, *field = s;
	uint8_t parent[8], flags;

	if (cut || !take_hex(field, uber_field(&s, end), p->trace_id, sizeof(p->trace_id)))
		return false;
	field = s;
	if (!take_hex(field, uber_field(&s, end), p->span_id, sizeof(p->span_id)))
		return false;
	field = s;
	n = uber_field(&s, end);
	if (!take_hex(field, n, parent, sizeof(parent)))
		return false;
	field = s;
	n = (size_t)(end - s);
	if (!take_hex(field, n, &flags, sizeof(flags)))
		return false;
	p->flags |= HELD_TRACE | HELD_SPAN;
	p->flags |= flags & 1 ? SAID_SAMPLED : SAID_NOT_SAMPLED;
	if (flags & 2)
		p->flags |= SAID_DEBUG;
	return true;
}

static bool take_datadog_trace(struct propagator *p, const char *s, size_t n, bool cut)
{
	p->flags |= HELD_TRACE;
	return !cut && take_decimal(s, n, p->trace_id + 8);
}

static bool take_datadog_parent(struct propagator *p, const char *s, size_t n, bool cut)
{
	p->flags |= HELD_SPAN;
	return !cut && take_decimal(s, n, p->span_id);
}

/* -1 and 0 drop, 1 and 2 keep; what a later version may add is no reason to lose the ids. */
static bool take_datadog_priority(struct propagator *p, const char *s, size_t n, bool cut)
{
	bool negative = n && *s == '-';
	uint8_t value[8];

	if (cut || !take_decimal(s + negative, n - negative, value))
		return false;
	p->flags |= !negative && memcmp(value, "\0\0\0\0\0\0\0\0", 8) ? SAID_SAMPLED : SAID_NOT_SAMPLED;
	return true;
}

/* The upper half of the trace id stands among tags of the trace. */
static bool take_datadog_tags(struct propagator *p, const char *s, size_t n, bool cut)
{
	static const char key[] = "_dd.p.tid=";
	size_t skip = strlen(key), tag;

	for (; n; s += tag + 1, n -= tag + 1) {
		const char *comma = memchr(s, ',', n);

		tag = comma ? (size_t)(comma - s) : n;
		if (tag >= skip && !memcmp(s, key, skip)) {
			bool ends = comma || !cut;

			return ends && tag == skip + 16 && take_hex(s + skip, 16, p->trace_id, 8);
		}
		if (!comma)
			break;
	}
	return !cut;
}

#define NAME(name, format, reader) name,
#define FORMAT(name, format, reader) PROPAGATOR_##format,
#define READER(name, format, reader) take_##reader,
#define COUNT(name, format, reader) +1

const char *const propagator_names[PROPAGATOR_HEADERS_MAX] = {PROPAGATOR_HEADERS(NAME)};
static const uint8_t formats_of[] = {PROPAGATOR_HEADERS(FORMAT)};
static bool (*const readers[])(struct propagator *p, const char *s, size_t n, bool cut) = {
    PROPAGATOR_HEADERS(READER)};
_Static_assert(PROPAGATOR_HEADERS(COUNT) == PROPAGATOR_HEADERS_MAX, "the table is all there");

uint16_t propagator_enabled = 1; /* traceparent */

int propagator_format_named(const char *name, size_t n)
{
	/* A receiver of B3 has to read both of its forms. */
	static const struct {
		const char *name;
		int formats;
	} known[] = {
	    {"tracecontext", 1 << PROPAGATOR_TRACECONTEXT},
	    {"b3", 1 << PROPAGATOR_B3 | 1 << PROPAGATOR_B3MULTI},
	    {"b3multi", 1 << PROPAGATOR_B3 | 1 << PROPAGATOR_B3MULTI},
	    {"jaeger", 1 << PROPAGATOR_JAEGER},
	    {"datadog", 1 << PROPAGATOR_DATADOG},
	    {"baggage", 0},
	    {"none", 0},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (is_word(name, n, known[i].name))
			return known[i].formats;
	}
	return -1;
}

void propagator_enable(uint32_t formats)
{
	uint16_t enabled = 1;

	for (unsigned int i = 0; i < PROPAGATOR_HEADERS_MAX; i++)
		enabled |= (uint16_t)((formats >> formats_of[i] & 1) << i);
	propagator_enabled = enabled;
}

void propagator_begin(struct propagator *p)
{
	memset(p, 0, sizeof(*p));
}

void propagator_take(struct propagator *p, unsigned int header, const char *value, size_t n,
		     bool cut)
{
	uint8_t format = formats_of[header];

	if (!(propagator_enabled >> header & 1) || (p->format && p->format < format))
		return;
	if (p->format != format) {
		propagator_begin(p);
		p->format = format;
	}
	while (n && is_ows(*value))
		value++, n--;
	while (n && !cut && is_ows(value[n - 1]))
		n--;
	if (p->seen >> header & 1 || !value || !readers[header](p, value, n, cut))
		p->flags |= SPOILT;
	p->seen |= (uint16_t)(1U << header);
}

void propagator_header(struct propagator *p, const char *name, size_t name_length,
		       const char *value, size_t value_length)
{
	for (unsigned int i = 0; i < PROPAGATOR_HEADERS_MAX; i++) {
		const char *known = propagator_names[i];
		size_t at = 0;

		while (at < name_length && known[at] &&
		       known[at] == (name[at] >= 'A' && name[at] <= 'Z' ? name[at] | 0x20 : name[at]))
			at++;
		if (at == name_length && !known[at]) {
			propagator_take(p, i, value, value_length, false);
			return;
		}
	}
}

static bool is_zero(const uint8_t *id, size_t n)
{
	uint8_t any = 0;

	while (n--)
		any |= id[n];
	return !any;
}

bool propagator_end(const struct propagator *p, struct trace_context *out)
{
	const unsigned int whole = HELD_TRACE | HELD_SPAN;

	memset(out, 0, sizeof(*out));
	if (p->flags & SPOILT || (p->flags & whole) != whole)
		return false;
	if (is_zero(p->trace_id, sizeof(p->trace_id)) || is_zero(p->span_id, sizeof(p->span_id)))
		return false;
	memcpy(out->trace_id, p->trace_id, sizeof(out->trace_id));
	memcpy(out->span_id, p->span_id, sizeof(out->span_id));
	/* Who leaves the decision to the receiver has not decided against it. */
	if (p->flags & SAID_DEBUG || !(p->flags & SAID_NOT_SAMPLED))
		out->flags |= TRACE_FLAG_SAMPLED;
	if (p->flags & HELD_RANDOM)
		out->flags |= TRACE_FLAG_RANDOM;
	return true;
}
