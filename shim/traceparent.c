/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict parser for version "-" trace-id "-" parent-id "-" flags (W3C Trace Context, section 3.2).
 * Called by the protocol parsers and for the environment. Context: any; pure and
 * async-signal-safe. It never repairs a value: a context that a conforming tracer would drop must
 * be dropped here too, or samples carry ids that no trace has.
 */
#include "shim/traceparent.h"

#include "shim/hex.h"
#include "shim/ows.h"

/* Where the fields begin; the bytes between them are dashes. */
enum { AT_VERSION = 0, AT_TRACE = 3, AT_SPAN = 36, AT_FLAGS = 53 };

static bool hex_bytes(const char *s, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high = hex_lower_digit(s[2 * i]), low = hex_lower_digit(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool is_zero(const uint8_t *id, size_t n)
{
	uint8_t any = 0;

	while (n--)
		any |= id[n];
	return any == 0;
}

/* Version 00 has nothing after the flags; an unknown one may, behind a further dash. */
static bool length_fits(uint8_t version, const char *s, size_t n)
{
	if (n == TRACEPARENT_SIZE)
		return true;
	return version != 0 && s[TRACEPARENT_SIZE] == '-';
}

bool traceparent_parse(const char *s, size_t n, struct trace_context *out)
{
	struct trace_context tc;
	uint8_t version;

	while (n && is_ows(*s))
		s++, n--;
	while (n && is_ows(s[n - 1]))
		n--;
	if (n < TRACEPARENT_SIZE)
		return false;
	if (s[AT_TRACE - 1] != '-' || s[AT_SPAN - 1] != '-' || s[AT_FLAGS - 1] != '-')
		return false;
	if (!hex_bytes(s + AT_VERSION, &version, 1) || version == 0xff ||
	    !length_fits(version, s, n))
		return false;
	if (!hex_bytes(s + AT_TRACE, tc.trace_id, sizeof(tc.trace_id)) ||
	    !hex_bytes(s + AT_SPAN, tc.span_id, sizeof(tc.span_id)) ||
	    !hex_bytes(s + AT_FLAGS, &tc.flags, 1))
		return false;
	if (is_zero(tc.trace_id, sizeof(tc.trace_id)) || is_zero(tc.span_id, sizeof(tc.span_id)))
		return false;
	/* Bits no version has defined yet say nothing: a receiver must ignore them. */
	tc.flags &= TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM;
	*out = tc;
	return true;
}
