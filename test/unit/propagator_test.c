/* SPDX-License-Identifier: Apache-2.0 */
/* shim/propagator.c: which headers mean which context. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shim/propagator.h"

#define T32 "0af7651916cd43dd8448eb211c80319c"
#define T16 "8448eb211c80319c"
#define S16 "b7ad6b7169203331"
#define ALL 0xff
#define READS(expected, ...)                                     \
	do {                                                     \
		const char *headers_[] = {__VA_ARGS__, NULL};    \
		reads(expected, headers_);                       \
	} while (0)

/* Headers: "name: value". Expected: "trace span flags", or "". */
static void reads(const char *expected, const char **headers)
{
	struct propagator p;
	struct trace_context context;
	char text[80] = "";
	size_t n = 0;

	propagator_begin(&p);
	for (; *headers; headers++) {
		const char *colon = strchr(*headers, ':');

		propagator_header(&p, *headers, (size_t)(colon - *headers), colon + 1, strlen(colon + 1));
	}
	if (propagator_end(&p, &context)) {
		for (int i = 0; i < 16; i++)
			n += (size_t)sprintf(text + n, "%02x", context.trace_id[i]);
		text[n++] = ' ';
		for (int i = 0; i < 8; i++)
			n += (size_t)sprintf(text + n, "%02x", context.span_id[i]);
		sprintf(text + n, " %d", context.flags);
	}
	assert_string_equal(text, expected);
}

static int enable_all(void **state)
{
	propagator_enable(ALL);
	return 0;
}

static int enable_none(void **state)
{
	propagator_enable(0);
	return 0;
}

static void w3c_is_always_read_and_wins(void **state)
{
	READS(T32 " " S16 " 1", "Traceparent: 00-" T32 "-" S16 "-01");
	READS(T32 " " S16 " 3", "traceparent:00-" T32 "-" S16 "-03 ", "b3: " T16 "-" S16 "-0");
	READS(T32 " " S16 " 0", "b3: " T16 "-" S16 "-1", "traceparent: 00-" T32 "-" S16 "-00");
	READS("", "traceparent: x", "b3: " T32 "-" S16 "-1");
	READS("", "traceparent: 00-" T32 "-" S16 "-01", "traceparent: 00-" T32 "-" S16 "-01");
	READS("", "tracestate: a=b");
}

static void others_are_read_when_asked_for(void **state)
{
	enable_none(state);
	READS("", "b3: " T32 "-" S16 "-1");
	READS("", "uber-trace-id: " T32 ":" S16 ":0:1");
	READS(T32 " " S16 " 1", "traceparent: 00-" T32 "-" S16 "-01", "b3: " T32 "-" S16 "-1");
	propagator_enable((uint32_t)propagator_format_named("jaeger", 6));
	READS("", "b3: " T32 "-" S16 "-1");
	READS(T32 " " S16 " 1", "uber-trace-id: " T32 ":" S16 ":0:1");
	assert_int_equal(propagator_format_named("baggage", 7), 0);
	assert_int_equal(propagator_format_named("xray", 4), -1);
	assert_int_equal(propagator_format_named("b3", 1), -1);
	enable_all(state);
}

static void b3_in_one_header(void **state)
{
	READS(T32 " " S16 " 1", "b3: " T32 "-" S16 "-1");
	READS(T32 " " S16 " 1", "B3: " T32 "-" S16 "-d");
	READS(T32 " " S16 " 1", "b3: " T32 "-" S16);
	READS(T32 " " S16 " 0", "b3: " T32 "-" S16 "-0-05e3ac9a4f6e3b90");
	READS("0000000000000000" T16 " " S16 " 1", "b3: " T16 "-" S16 "-1");
	READS("", "b3: 0");
	READS("", "b3: deny");
	READS("", "b3: " T32 "-" S16 "-2");
	READS("", "b3: " T32 "-" S16 "-1x");
	READS("", "b3: " T32 "-" S16 "-");
	READS("", "b3: " T32 "-");
	READS("", "b3: 0" T32 "-" S16 "-1");
	READS("", "b3: 0000000000000000-" S16 "-1");
	READS("", "b3: " T32 "-0000000000000000-1");
	READS("", "b3: 0AF7651916CD43DD8448EB211C80319C-" S16 "-1");
	READS("", "b3: " T32 "-" S16 "-1", "b3: " T32 "-" S16 "-1");
}

static void b3_in_several(void **state)
{
	READS(T32 " " S16 " 1", "X-B3-TraceId: " T32, "X-B3-SpanId: " S16, "X-B3-Sampled: 1");
	READS(T32 " " S16 " 0", "X-B3-Sampled: 0", "X-B3-SpanId: " S16, "X-B3-TraceId: " T32);
	READS(T32 " " S16 " 1", "X-B3-Flags: 1", "X-B3-TraceId: " T32, "X-B3-SpanId: " S16);
	READS("0000000000000000" T16 " " S16 " 1", "x-b3-traceid: " T16, "x-b3-spanid: " S16);
	READS("", "X-B3-TraceId: " T32);
	READS("", "X-B3-SpanId: " S16, "X-B3-Sampled: 1");
	READS("", "X-B3-TraceId: " T32, "X-B3-SpanId: " S16, "X-B3-Sampled: maybe");
	READS("", "X-B3-TraceId: " T32, "X-B3-SpanId: " S16, "X-B3-TraceId: " T16);
	READS(T32 " " S16 " 1", "x-b3-traceid: " T16, "b3: " T32 "-" S16 "-1", "x-b3-spanid: " S16);
}

static void jaegers(void **state)
{
	READS(T32 " " S16 " 1", "uber-trace-id: " T32 ":" S16 ":0:1");
	READS(T32 " " S16 " 0", "uber-trace-id: " T32 ":" S16 ":0:0");
	READS(T32 " " S16 " 1", "uber-trace-id: " T32 "%3A" S16 "%3a0000000000000000%3A3");
	READS("0000000000000000000000000000012a 000000000000000f 1", "uber-trace-id: 12a:f:0:01");
	READS("", "uber-trace-id: " T32 ":" S16 ":0");
	READS("", "uber-trace-id: " T32 ":" S16 ":0:1:1");
	READS("", "uber-trace-id: " T32 ":0:0:1");
	READS("", "uber-trace-id: 0:" S16 ":0:1");
	READS("", "uber-trace-id: :" S16 ":0:1");
	READS("", "uber-trace-id: " T32 ":" S16 ":x:1");
	READS("", "uber-trace-id: " T32 ":" S16 ":0:111");
	READS("", "uber-trace-id: ");
}

static void datadogs(void **state)
{
	READS("0000000000000000000000000000007b 00000000000001c8 1", "x-datadog-trace-id: 123",
	      "x-datadog-parent-id: 456", "x-datadog-sampling-priority: 1");
	READS("66a1b2c3d4e5f607000000000000007b 00000000000001c8 0", "x-datadog-trace-id: 123",
	      "x-datadog-parent-id: 456", "x-datadog-sampling-priority: -1",
	      "x-datadog-tags: _dd.p.dm=-1,_dd.p.tid=66a1b2c3d4e5f607");
	READS("0000000000000001ffffffffffffffff 00000000000001c8 1", "x-datadog-tags: _dd.p.tid=0000000000000001,a=b",
	      "x-datadog-trace-id: 18446744073709551615", "x-datadog-parent-id: 456");
	READS("", "x-datadog-trace-id: 18446744073709551616", "x-datadog-parent-id: 456");
	READS("", "x-datadog-trace-id: 123", "x-datadog-parent-id: 0");
	READS("", "x-datadog-trace-id: 123");
	READS("", "x-datadog-trace-id: 0x7b", "x-datadog-parent-id: 456");
	READS("", "x-datadog-trace-id: 123", "x-datadog-parent-id: 456", "x-datadog-tags: _dd.p.tid=66a1");
}

static void a_cut_value_never_gives_half_an_id(void **state)
{
	static const char tags[] = "_dd.p.dm=-1,_dd.p.usr.id=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,_dd.p.tid=66a1b2c3d4e5f607";
	struct propagator p;
	struct trace_context context;

	propagator_begin(&p);
	propagator_take(&p, 7, "123", 3, false);
	propagator_take(&p, 8, "456", 3, false);
	assert_true(propagator_end(&p, &context));
	propagator_take(&p, 10, tags, PROPAGATOR_VALUE_MAX, true);
	assert_false(propagator_end(&p, &context));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(w3c_is_always_read_and_wins),
    cmocka_unit_test(others_are_read_when_asked_for),
    cmocka_unit_test(b3_in_one_header),
    cmocka_unit_test(b3_in_several),
    cmocka_unit_test(jaegers),
    cmocka_unit_test(datadogs),
    cmocka_unit_test(a_cut_value_never_gives_half_an_id),
};

int main(void)
{
	return cmocka_run_group_tests(tests, enable_all, enable_none);
}
