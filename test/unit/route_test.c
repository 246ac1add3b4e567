/* SPDX-License-Identifier: Apache-2.0 */
/* agent/route.c: which parts of a path are values, and that nothing a client sends gets out raw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "agent/route.h"

static struct route route;

static const char *name_of(const char *method, const char *target)
{
	char m[FEED_METHOD_SIZE] = "", t[FEED_TARGET_SIZE] = "";

	memcpy(m, method, strnlen(method, sizeof(m) - 1));
	memcpy(t, target, strnlen(target, sizeof(t) - 1));
	route_name(&route, m, t);
	return route.name;
}

struct expectation {
	const char *path, *template;
};

static void assert_templates(const struct expectation *e)
{
	char wanted[256];

	for (; e->path; e++) {
		snprintf(wanted, sizeof(wanted), "GET %s", e->template);
		assert_string_equal(name_of("GET", e->path), wanted);
	}
}

static void words_of_a_path_stay(void **state)
{
	static const char *const paths[] = {
		"/", "/users", "/users/", "/api/v1/items", "/oauth2/token", "/sha256/sum", "/s3/mp3",
		"/checkout-page/step_two", "/index.html", "/jquery-3.7.1.min.js", "/v1beta1/v2alpha1",
		"/shop.Cart/AddItem", "/opentelemetry.proto.collector.trace.v1.TraceService",
		"/getUserAccountSettingsByIdentifier", "/items:batchGet", "/.well-known/acme", "/~home",
		"/facade/decade", "/web3/base64", NULL};

	for (const char *const *p = paths; *p; p++)
		assert_templates((const struct expectation[]){{*p, *p}, {NULL, NULL}});
}

static void numbers_ids_and_tokens_become_braces(void **state)
{
	static const struct expectation values[] = {
		{"/users/1", "/users/{}"},
		{"/users/12345/orders/7", "/users/{}/orders/{}"},
		{"/u/550e8400-e29b-41d4-a716-446655440000", "/u/{}"},
		{"/u/FFEEDDCC-BBAA-ABCD-ABCD-ABCDEFABCDEF", "/u/{}"},
		{"/blob/9e107d9d372bb6826bd81d3542a419d6", "/blob/{}"},
		{"/c/da39a3e", "/c/{}"},
		{"/c/deadbeefcafe", "/c/{}"},
		{"/user-12345/edit", "/{}/edit"},
		{"/order_881", "/{}"},
		{"/user12345", "/{}"},
		{"/watch/dQw4w9WgXcQ", "/watch/{}"},
		{"/n/V1StGXR8_Z5jdHi6B-myT", "/n/{}"},
		{"/t/dGhpcyBpcyBhIHRva2VuMQ", "/t/{}"},
		{"/t/eyJhbGciOiJIUzI1NiJ9.e30.x", "/t/{}"},
		{"/u/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/u/{}"},
		{"/2026-11-21/report", "/{}/report"},
		{"/10.0.0.1", "/{}"},
		{"/-1", "/{}"},
		{"/photo/12345.jpg", "/photo/{}"},
		{NULL, NULL}};

	assert_templates(values);
}

static void what_is_no_plain_text_becomes_braces(void **state)
{
	static const struct expectation raw[] = {
		{"/a%20b/c", "/{}/c"},
		{"/%2e%2e/etc", "/{}/etc"},
		{"/caf\xc3\xa9", "/{}"},
		{"/\xff\xfe/x", "/{}/x"},
		{"/a\x01" "b", "/{}"},
		{"/a\"b", "/{}"},
		{"/a,b", "/{}"},
		{"/a=b", "/{}"},
		{"/{id}", "/{}"},
		{"/*", "/{}"},
		{"/joe@example.org", "/{}"},
		{"/<script>", "/{}"},
		{NULL, NULL}};

	assert_templates(raw);
}

static void shapes_of_paths_are_evened_out(void **state)
{
	static const struct expectation shapes[] = {
		{"//a///b", "/a/b"},
		{"///", "/"},
		{"/login;jsessionid=12ab34", "/login"},
		{"/;x", "/{}"},
		{"/a/1;v=1/b", "/a/{}/b"},
		{NULL, NULL}};

	assert_templates(shapes);
}

/* 63 bytes and more look the same. */
static void a_cut_path_loses_its_last_segment(void **state)
{
	char path[128] = "/shop/";

	memset(path + 6, 'x', 56);
	assert_int_equal(strlen(path), 62);
	assert_string_equal(name_of("GET", path) + 4, path);
	path[62] = 'x';
	assert_string_equal(name_of("GET", path), "GET /shop/*");
	memset(path + 62, 'x', 60);
	assert_string_equal(name_of("GET", path), "GET /shop/*");
	memset(path, 0, sizeof(path));
	memset(path, '/', 100);
	assert_string_equal(name_of("GET", path), "GET /*");
	path[62] = 'x';
	assert_string_equal(name_of("GET", path), "GET /*");
}

static void what_is_no_path_is_its_method_alone(void **state)
{
	assert_string_equal(name_of("OPTIONS", "*"), "OPTIONS");
	assert_string_equal(name_of("CONNECT", "example.org:443"), "CONNECT");
	assert_string_equal(name_of("SELECT", ""), "SELECT");
	assert_int_equal(route.method, 6);
	assert_string_equal(name_of("", "/path"), "");
	assert_int_equal(route.method, 0);
}

static void methods_that_nobody_knows_are_one(void **state)
{
	assert_string_equal(name_of("FLURB", "/a"), "OTHER /a");
	assert_int_equal(route.method, 5);
	assert_string_equal(name_of("get", "/a"), "OTHER /a");
	assert_string_equal(name_of("G\xff", ""), "OTHER");
	assert_string_equal(name_of("GETT", ""), "OTHER");
	assert_string_equal(name_of("PROPFIND", "/dav"), "PROPFIND /dav");
}

static void fields_without_an_end_are_bounded(void **state)
{
	char method[FEED_METHOD_SIZE], target[FEED_TARGET_SIZE];

	memset(method, 'A', sizeof(method));
	memset(target, '/', sizeof(target));
	route_name(&route, method, target);
	assert_string_equal(route.name, "OTHER /*");
	/* What grows most. */
	for (size_t i = 0; i < sizeof(target); i++)
		target[i] = i % 2 ? '%' : '/';
	route_name(&route, method, target);
	assert_int_equal(strlen(route.name), strlen("OTHER ") + 31 * 3 + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_of_a_path_stay),
	    cmocka_unit_test(numbers_ids_and_tokens_become_braces),
	    cmocka_unit_test(what_is_no_plain_text_becomes_braces),
	    cmocka_unit_test(shapes_of_paths_are_evened_out),
	    cmocka_unit_test(a_cut_path_loses_its_last_segment),
	    cmocka_unit_test(what_is_no_path_is_its_method_alone),
	    cmocka_unit_test(methods_that_nobody_knows_are_one),
	    cmocka_unit_test(fields_without_an_end_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
