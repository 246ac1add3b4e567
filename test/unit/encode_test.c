/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof/encode.c: what goes in comes out again through zlib and protobuf-c, the announced size is
 * the real one, and memory that runs out at any point leaks and breaks nothing. With
 * SPANPROF_TEST_PPROF=FILE one test leaves a profile there, for go tool pprof or a server.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <time.h>
#include <cmocka.h>

static long allocations_left = -1; /* below 0: as many as wanted */

static int out_of_memory(void)
{
	return allocations_left >= 0 && allocations_left-- == 0;
}

static void *scarce_realloc(void *old, size_t size)
{
	return out_of_memory() ? NULL : realloc(old, size);
}

static void *scarce_calloc(size_t n, size_t size)
{
	return out_of_memory() ? NULL : calloc(n, size);
}

#define malloc(size) scarce_realloc(NULL, size)
#define realloc scarce_realloc
#define calloc scarce_calloc
#include "pprof/encode.c"
#undef malloc
#undef realloc
#undef calloc

#define INFLATED_MAX ((size_t)16 << 20)

static const struct pprof_value_type cpu_types[] = {{"samples", "count"}, {"cpu", "nanoseconds"}};
static const struct pprof_value_type cpu_period = {"cpu", "nanoseconds"};
static struct pprof_profile *p;

static int setup(void **state)
{
	allocations_left = -1;
	p = pprof_profile_new(cpu_types, 2, cpu_period, 10000000);
	return p ? 0 : -1;
}

static int teardown(void **state)
{
	pprof_profile_free(p);
	return 0;
}

/* Decodes the profile's encoding; *size is what the message took uncompressed. */
static Perftools__Profiles__Profile *round_trip(size_t *size)
{
	unsigned char *gz, *plain = malloc(INFLATED_MAX);
	Perftools__Profiles__Profile *message;
	z_stream z = {0};
	size_t len;

	assert_int_equal(pprof_encode(p, &gz, &len), 0);
	z.next_in = gz;
	z.avail_in = (uInt)len;
	z.next_out = plain;
	z.avail_out = INFLATED_MAX;
	assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	*size = z.total_out;
	inflateEnd(&z);
	message = perftools__profiles__profile__unpack(NULL, *size, plain);
	assert_non_null(message);
	free(plain);
	free(gz);
	return message;
}

static void release(Perftools__Profiles__Profile *message)
{
	perftools__profiles__profile__free_unpacked(message, NULL);
}

#define assert_text(message, index, expected)                                                      \
	assert_string_equal((message)->string_table[index], expected)

/* A shop with two spans: main calls checkout, into which total is inlined, and strlen. */
static void build_shop(void)
{
	const char *exe = "/usr/bin/shop", *libc = "/lib/libc.so.6";
	uint64_t m1 = pprof_mapping(p, 0x400000, 0x500000, 0x1000, exe, "c0ffee01", PPROF_HAS_ALL);
	uint64_t m2 = pprof_mapping(p, 0x7f0000000000, 0x7f0000100000, 0, libc, "", 1);
	uint64_t f_main = pprof_function(p, "main", "main", "shop.c", 10);
	uint64_t f_checkout =
	    pprof_function(p, "shop::checkout(int)", "_ZN4shop8checkoutEi", "shop.c", 20);
	uint64_t f_total = pprof_function(p, "shop::total()", "_ZN4shop5totalEv", "shop.c", 30);
	uint64_t f_strlen = pprof_function(p, "strlen", "strlen", "", 0);
	const struct pprof_line in_main = {f_main, 12}, in_strlen = {f_strlen, 0};
	const struct pprof_line in_checkout[] = {{f_total, 31}, {f_checkout, 22}};
	uint64_t l_main = pprof_location(p, m1, 0x401000, &in_main, 1);
	uint64_t l_checkout = pprof_location(p, m1, 0x402000, in_checkout, 2);
	uint64_t l_strlen = pprof_location(p, m2, 0x7f0000001000, &in_strlen, 1);
	const uint64_t deep[] = {l_strlen, l_checkout, l_main}, shallow[] = {l_checkout, l_main};
	const struct pprof_label span1[] = {{"span_id", "00f067aa0ba902b7"},
					    {"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"},
					    {"span_name", "POST /checkout"}};
	const struct pprof_label span2[] = {{"span_id", "00f067aa0ba902b8"}};
	const int64_t three[] = {3, 30000000}, five[] = {5, 50000000}, seven[] = {7, 70000000};

	assert_int_equal(pprof_sample(p, deep, 3, three, span1, 3), 0);
	assert_int_equal(pprof_sample(p, shallow, 2, five, span2, 1), 0);
	assert_int_equal(pprof_sample(p, shallow, 2, seven, NULL, 0), 0);
	assert_int_equal(pprof_profile_set_default_sample_type(p, "cpu"), 0);
	assert_int_equal(pprof_profile_add_comment(p, "2 samples dropped"), 0);
	pprof_profile_set_time(p, (int64_t)time(NULL) * 1000000000, 10000000000);
}

static void an_empty_profile_keeps_its_types(void **state)
{
	Perftools__Profiles__Profile *m;
	size_t size;

	m = round_trip(&size);
	assert_int_equal(size, pprof_profile_size(p));
	assert_int_equal(m->n_sample, 0);
	assert_int_equal(m->n_sample_type, 2);
	assert_text(m, m->sample_type[1]->type, "cpu");
	assert_text(m, m->sample_type[1]->unit, "nanoseconds");
	assert_text(m, m->period_type->type, "cpu");
	assert_int_equal(m->period, 10000000);
	assert_text(m, 0, "");
	release(m);
}

static void samples_survive_the_round_trip(void **state)
{
	Perftools__Profiles__Profile *m;
	size_t size;

	build_shop();
	m = round_trip(&size);
	assert_int_equal(size, pprof_profile_size(p));
	assert_int_equal(m->n_sample, 3);
	assert_int_equal(m->sample[0]->n_location_id, 3);
	assert_int_equal(m->sample[0]->location_id[0], 3);
	assert_int_equal(m->sample[0]->location_id[2], 1);
	assert_int_equal(m->sample[1]->n_value, 2);
	assert_int_equal(m->sample[1]->value[0], 5);
	assert_int_equal(m->sample[1]->value[1], 50000000);
	assert_int_equal(m->sample[0]->n_label, 3);
	assert_text(m, m->sample[0]->label[1]->key, "trace_id");
	assert_text(m, m->sample[0]->label[1]->str, "4bf92f3577b34da6a3ce929d0e0e4736");
	assert_text(m, m->sample[1]->label[0]->str, "00f067aa0ba902b8");
	assert_int_equal(m->sample[2]->n_label, 0);
	release(m);
}

static void places_survive_the_round_trip(void **state)
{
	Perftools__Profiles__Profile *m;
	size_t size;

	build_shop();
	m = round_trip(&size);
	assert_int_equal(m->n_mapping, 2);
	assert_int_equal(m->mapping[0]->memory_limit, 0x500000);
	assert_int_equal(m->mapping[0]->file_offset, 0x1000);
	assert_text(m, m->mapping[0]->build_id, "c0ffee01");
	assert_true(m->mapping[0]->has_inline_frames);
	assert_true(m->mapping[1]->has_functions);
	assert_false(m->mapping[1]->has_filenames);
	assert_int_equal(m->n_location, 3);
	assert_int_equal(m->location[1]->id, 2);
	assert_int_equal(m->location[1]->n_line, 2);
	assert_int_equal(m->location[1]->line[0]->function_id, 3);
	assert_int_equal(m->location[1]->line[1]->line, 22);
	assert_int_equal(m->location[2]->mapping_id, 2);
	assert_int_equal(m->location[2]->address, 0x7f0000001000);
	assert_int_equal(m->n_function, 4);
	assert_text(m, m->function[1]->name, "shop::checkout(int)");
	assert_text(m, m->function[1]->system_name, "_ZN4shop8checkoutEi");
	assert_int_equal(m->function[1]->start_line, 20);
	release(m);
}

static void times_comments_and_default_survive_the_round_trip(void **state)
{
	Perftools__Profiles__Profile *m;
	size_t size;

	build_shop();
	pprof_profile_set_time(p, 1700000000000000000, 15000000000);
	m = round_trip(&size);
	assert_int_equal(size, pprof_profile_size(p));
	assert_int_equal(m->time_nanos, 1700000000000000000);
	assert_int_equal(m->duration_nanos, 15000000000);
	assert_int_equal(m->n_comment, 1);
	assert_text(m, m->comment[0], "2 samples dropped");
	assert_text(m, m->default_sample_type, "cpu");
	release(m);
}

/* Numbers of every length on the wire, 1 to 10 bytes. */
static uint64_t any_number(unsigned int *seed)
{
	uint64_t v =
	    (uint64_t)rand_r(seed) << 62 | (uint64_t)rand_r(seed) << 31 | (uint64_t)rand_r(seed);

	return v >> (rand_r(seed) % 64);
}

static void add_anything(unsigned int *seed)
{
	char name[400], value[40];
	struct pprof_label labels[] = {{"span_id", value}, {"name", name}};
	struct pprof_line lines[20];
	uint64_t stack[300];
	int64_t values[2] = {(int64_t)any_number(seed), -(int64_t)(any_number(seed) >> 1)};
	size_t n = 1 + (size_t)rand_r(seed) % 20, depth = 1 + (size_t)rand_r(seed) % 300;

	snprintf(name, sizeof(name), "%0*d", 1 + rand_r(seed) % 399, rand_r(seed) % 1000);
	snprintf(value, sizeof(value), "%d", rand_r(seed));
	assert_true(pprof_mapping(p, any_number(seed), any_number(seed), any_number(seed), name,
				  value, (unsigned int)rand_r(seed)));
	for (size_t i = 0; i < n; i++) {
		lines[i].function_id =
		    pprof_function(p, name, value, NULL, (int64_t)any_number(seed));
		lines[i].line = (int64_t)any_number(seed);
	}
	for (size_t i = 0; i < depth; i++)
		stack[i] = pprof_location(p, (uint64_t)rand_r(seed) % p->n_mappings,
					  any_number(seed), lines, n);
	assert_int_equal(pprof_sample(p, stack, depth, values, labels, 2), 0);
	assert_int_equal(pprof_profile_add_comment(p, value), 0);
}

static void the_announced_size_is_exact(void **state)
{
	unsigned int seed = 1;

	for (int round = 0; round < 8; round++) {
		Perftools__Profiles__Profile *m;
		size_t size;

		for (int i = 0; i < 4 * round; i++)
			add_anything(&seed);
		pprof_profile_set_time(p, (int64_t)any_number(&seed), (int64_t)any_number(&seed));
		m = round_trip(&size);
		assert_int_equal(m->n_sample, pprof_profile_samples(p));
		assert_int_equal(size, pprof_profile_size(p));
		release(m);
	}
	assert_true(pprof_profile_size(p) > 1000000);
}

static void the_same_profile_gives_the_same_gzip_bytes(void **state)
{
	unsigned char *first, *second;
	size_t first_len, second_len;

	build_shop();
	assert_int_equal(pprof_encode(p, &first, &first_len), 0);
	assert_int_equal(pprof_encode(p, &second, &second_len), 0);
	assert_int_equal(first_len, second_len);
	assert_memory_equal(first, second, first_len);
	assert_memory_equal(first, "\x1f\x8b\x08\x00\x00\x00\x00\x00", 8);
	free(first);
	free(second);
}

static void encoding_without_memory_fails_clean(void **state)
{
	unsigned char *out = NULL;
	size_t len;
	long n;

	build_shop();
	for (n = 0;; n++) {
		int ret;

		allocations_left = n;
		ret = pprof_encode(p, &out, &len);
		allocations_left = -1;
		if (!ret)
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_null(out);
	}
	/* The last one refused was the shrinking of the result, which does not need to succeed. */
	assert_true(n >= 16);
	assert_true(len > 0);
	free(out);
}

static void a_file_is_left_for_other_readers(void **state)
{
	const char *path = getenv("SPANPROF_TEST_PPROF");
	unsigned char *out;
	size_t len;
	FILE *f;

	if (!path)
		skip();
	build_shop();
	assert_int_equal(pprof_encode(p, &out, &len), 0);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(out, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	free(out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(an_empty_profile_keeps_its_types),
	    TEST(samples_survive_the_round_trip),
	    TEST(places_survive_the_round_trip),
	    TEST(times_comments_and_default_survive_the_round_trip),
	    TEST(the_announced_size_is_exact),
	    TEST(the_same_profile_gives_the_same_gzip_bytes),
	    TEST(encoding_without_memory_fails_clean),
	    TEST(a_file_is_left_for_other_readers),
	};

	return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
