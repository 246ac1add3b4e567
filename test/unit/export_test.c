/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/export.c: an aggregate over this very program, encoded, and decoded again with protobuf-c:
 * what servers refuse or drop does not come out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "agent/export.h"
#include "agent/maps.h"
#include "pprof/profile.pb-c.h"

#define PARTS_MAX 64
#define INFLATED_MAX ((size_t)8 << 20)

static struct modules *modules;
static struct maps maps;
static struct aggregate *a;
static Perftools__Profiles__Profile *parts[PARTS_MAX];
static size_t part_sizes[PARTS_MAX], part_count;
static struct export_options options;

static struct module *module_of(const void *code)
{
	const struct maps_entry *entry = maps_find(&maps, (uintptr_t)code);

	assert_non_null(entry);
	return module_get(modules, entry, getpid());
}

static struct frame frame_of(const void *code, bool exact)
{
	const struct maps_entry *entry = maps_find(&maps, (uintptr_t)code);
	struct module *m = module_of(code);

	return (struct frame){m, module_vaddr(m, entry, (uintptr_t)code), exact};
}

static int setup(void **state)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	modules = modules_new();
	maps_init(&maps);
	if (maps_read_fd(&maps, fd) != 0)
		return -1;
	close(fd);
	a = aggregate_new(1700000000000000000, &(struct aggregate_options){.spans_max = 5000});
	part_count = 0;
	options = (struct export_options){.program = module_of((const void *)setup),
					  .period_ns = 10000000,
					  .until_unix_ns = 1700000015000000000,
					  .trace_ids = true};
	return 0;
}

static int teardown(void **state)
{
	while (part_count)
		perftools__profiles__profile__free_unpacked(parts[--part_count], NULL);
	aggregate_free(a);
	maps_release(&maps);
	modules_free(modules);
	return 0;
}

static void take_part(void *arg, unsigned char *bytes, size_t n)
{
	unsigned char *plain = malloc(INFLATED_MAX);
	z_stream z = {
	    .next_in = bytes, .avail_in = (uInt)n, .next_out = plain, .avail_out = INFLATED_MAX};

	assert_ptr_equal(arg, &options);
	assert_true(part_count < PARTS_MAX);
	assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	part_sizes[part_count] = z.total_out;
	parts[part_count] = perftools__profiles__profile__unpack(NULL, z.total_out, plain);
	assert_non_null(parts[part_count++]);
	inflateEnd(&z);
	free(plain);
	free(bytes);
}

static void add(const struct frame *frames, size_t n, bool truncated, uint64_t span)
{
	struct stack *stack = stack_new(frames, n, truncated);
	struct feed_context context = {0};

	if (span) {
		context.flags = FEED_CONTEXT_IDS;
		memcpy(context.span_id, &span, sizeof(span));
		memset(context.trace_id, 0xab, sizeof(context.trace_id));
	}
	aggregate_add(a, stack, &context, 2, 20000000);
	stack_put(stack);
}

static void add_spans(uint64_t count)
{
	struct frame frames[] = {frame_of((const void *)setup, true),
				 frame_of((const char *)teardown + 4, false)};

	for (uint64_t span = 1; span <= count; span++)
		add(frames, 2, false, span);
}

static void export_all(void)
{
	assert_int_equal(export_profile(a, &options, take_part, &options), 0);
}

static const char *text(const Perftools__Profiles__Profile *p, int64_t index)
{
	assert_true(index >= 0 && (size_t)index < p->n_string_table);
	return p->string_table[index];
}

static const Perftools__Profiles__Location *location(const Perftools__Profiles__Profile *p,
						     uint64_t id)
{
	for (size_t i = 0; i < p->n_location; i++)
		if (p->location[i]->id == id)
			return p->location[i];
	fail_msg("no location has the id %lu", (unsigned long)id);
	return NULL;
}

static const char *function_at(const Perftools__Profiles__Profile *p, uint64_t id)
{
	const Perftools__Profiles__Location *l = location(p, id);

	/* One without a line disappears in Pyroscope. */
	assert_true(l->n_line >= 1);
	for (size_t i = 0; i < p->n_function; i++)
		if (p->function[i]->id == l->line[0]->function_id)
			return text(p, p->function[i]->name);
	fail_msg("no function has the id %lu", (unsigned long)l->line[0]->function_id);
	return NULL;
}

/* Everything that every part must be. */
static void assert_sound(const Perftools__Profiles__Profile *p)
{
	assert_int_equal(p->n_sample_type, 2);
	assert_string_equal(text(p, p->sample_type[0]->type), "samples");
	assert_string_equal(text(p, p->sample_type[1]->unit), "nanoseconds");
	assert_string_equal(text(p, p->default_sample_type), "cpu");
	assert_int_equal(p->period, 10000000);
	assert_int_equal(p->time_nanos, 1700000000000000000);
	assert_int_equal(p->duration_nanos, 15000000000);
	for (size_t i = 0; i < p->n_sample; i++) {
		assert_true(p->sample[i]->n_location_id >= 1);
		assert_int_equal(p->sample[i]->n_value, 2);
		for (size_t k = 0; k < p->sample[i]->n_location_id; k++)
			assert_true(*function_at(p, p->sample[i]->location_id[k]));
	}
}

static void a_sample_comes_out_with_names_values_and_ids(void **state)
{
	const Perftools__Profiles__Profile *p;
	const Perftools__Profiles__Sample *s;
	struct frame frames[] = {frame_of((const void *)setup, true),
				 frame_of((const char *)teardown + 4, false)};

	add(frames, 2, false, 0x1122334455667788);
	export_all();
	assert_int_equal(part_count, 1);
	p = parts[0];
	assert_sound(p);
	assert_int_equal(p->n_sample, 1);
	s = p->sample[0];
	assert_int_equal(s->value[0], 2);
	assert_int_equal(s->value[1], 20000000);
	assert_int_equal(s->n_location_id, 2);
	assert_string_equal(function_at(p, s->location_id[0]), "setup");
	assert_string_equal(function_at(p, s->location_id[1]), "teardown");
	assert_int_equal(location(p, s->location_id[0])->address, frames[0].vaddr);
	assert_int_equal(location(p, s->location_id[1])->address, frames[1].vaddr - 1);
	assert_int_equal(s->n_label, 2);
	assert_string_equal(text(p, s->label[0]->key), "span_id");
	assert_string_equal(text(p, s->label[0]->str), "8877665544332211");
	assert_string_equal(text(p, s->label[1]->key), "trace_id");
	assert_string_equal(text(p, s->label[1]->str), "abababababababababababababababab");
}

static void the_program_is_the_first_mapping(void **state)
{
	struct frame frames[] = {frame_of((const void *)(uintptr_t)&inflate, true)};
	const Perftools__Profiles__Profile *p;

	add(frames, 1, false, 0);
	export_all();
	p = parts[0];
	assert_int_equal(p->n_mapping, 2);
	assert_non_null(strstr(text(p, p->mapping[0]->filename), "export_test"));
	assert_non_null(strstr(text(p, p->mapping[1]->filename), "libz"));
	for (size_t i = 0; i < 2; i++)
		assert_true(p->mapping[i]->memory_limit > p->mapping[i]->memory_start);
	assert_int_equal(location(p, p->sample[0]->location_id[0])->mapping_id, p->mapping[1]->id);
	assert_int_equal(p->sample[0]->n_label, 0);
}

static void trace_ids_can_be_left_out(void **state)
{
	options.trace_ids = false;
	add_spans(3);
	export_all();
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(parts[0]->sample[i]->n_label, 1);
		assert_string_equal(text(parts[0], parts[0]->sample[i]->label[0]->key), "span_id");
	}
	for (size_t i = 0; i < parts[0]->n_string_table; i++)
		assert_null(strstr(parts[0]->string_table[i], "abab"));
}

static void cut_stacks_have_a_root_that_says_so(void **state)
{
	struct frame frames[] = {frame_of((const void *)setup, true)};

	add(frames, 1, true, 0);
	add(frames, 0, true, 0);
	export_all();
	assert_sound(parts[0]);
	assert_int_equal(parts[0]->sample[0]->n_location_id, 2);
	assert_string_equal(function_at(parts[0], parts[0]->sample[0]->location_id[1]),
			    "[truncated stack]");
	assert_int_equal(parts[0]->sample[1]->n_location_id, 1);
	assert_string_equal(function_at(parts[0], parts[0]->sample[1]->location_id[0]),
			    "[unknown]");
}

static void a_stack_of_nothing_is_given_a_name(void **state)
{
	struct frame frames[1] = {0};

	add(frames, 0, false, 5);
	add_spans(1);
	export_all();
	assert_sound(parts[0]);
	assert_int_equal(parts[0]->n_sample, 2);
	assert_int_equal(parts[0]->sample[0]->n_location_id, 1);
}

static void memory_without_an_object_has_a_name_and_no_address(void **state)
{
	struct maps_entry nothing = {.start = 0x1000, .end = 0x2000, .path = "", .exec = true};
	struct frame frames[] = {{module_get(modules, &nothing, getpid()), 0, false},
				 {module_get(modules, &nothing, getpid()), 0, true}};

	add(frames, 2, false, 0);
	export_all();
	assert_sound(parts[0]);
	for (int i = 0; i < 2; i++) {
		uint64_t id = parts[0]->sample[0]->location_id[i];

		assert_string_equal(function_at(parts[0], id), "[anon]");
		assert_int_equal(location(parts[0], id)->mapping_id, 0);
		assert_int_equal(location(parts[0], id)->address, 0);
	}
}

/* The spans of all parts together: each of 1 to count, once. */
static void assert_complete(uint64_t count)
{
	bool *seen = calloc(count + 1, sizeof(*seen));
	uint64_t found = 0;

	for (size_t i = 0; i < part_count; i++) {
		assert_sound(parts[i]);
		assert_true(parts[i]->n_sample > 0);
		for (size_t k = 0; k < parts[i]->n_sample; k++) {
			const char *id = text(parts[i], parts[i]->sample[k]->label[0]->str);
			uint64_t span = __builtin_bswap64(strtoull(id, NULL, 16));

			assert_true(span >= 1 && span <= count && !seen[span]);
			seen[span] = true;
			found++;
		}
	}
	free(seen);
	assert_int_equal(found, count);
}

static void parts_hold_no_more_samples_than_they_may(void **state)
{
	add_spans(100);
	options.samples_max = 30;
	export_all();
	assert_int_equal(part_count, 4);
	for (size_t i = 0; i < part_count; i++)
		assert_int_equal(parts[i]->n_sample, i < 3 ? 30 : 10);
	assert_complete(100);
}

static void a_limit_that_is_met_exactly_makes_no_empty_part(void **state)
{
	add_spans(60);
	options.samples_max = 30;
	export_all();
	assert_int_equal(part_count, 2);
	assert_complete(60);
}

static void parts_are_no_larger_than_they_may_be_and_one_sample(void **state)
{
	add_spans(500);
	options.bytes_max = 4000;
	export_all();
	assert_true(part_count > 3);
	for (size_t i = 0; i < part_count; i++) {
		/* The last sample may reach beyond, by its own strings and no more. */
		assert_true(part_sizes[i] < 4000 + 300);
		assert_true(i + 1 == part_count || part_sizes[i] >= 4000);
	}
	assert_complete(500);
}

static void no_samples_are_no_part(void **state)
{
	export_all();
	assert_int_equal(part_count, 0);
}

static void many_frames_are_kept_from_the_leaf_on(void **state)
{
	static struct frame frames[2000];

	for (int i = 0; i < 2000; i++) {
		frames[i] = frame_of((const void *)setup, true);
		frames[i].vaddr += (uint64_t)i * 0x10000000;
	}
	add(frames, 2000, true, 0);
	export_all();
	assert_sound(parts[0]);
	assert_int_equal(parts[0]->sample[0]->n_location_id, 1025);
	assert_string_equal(function_at(parts[0], parts[0]->sample[0]->location_id[0]), "setup");
	assert_string_equal(function_at(parts[0], parts[0]->sample[0]->location_id[1024]),
			    "[truncated stack]");
}

/* The million: one client that varies what it sends. */
enum { MILLION = 1000000, SPANS = 5000 };

static void random_bytes(uint8_t *to, size_t n)
{
	static uint64_t seed = 88172645463325252ULL;

	for (size_t i = 0; i < n; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		to[i] = (uint8_t)(seed >> 24) | 1;
	}
}

/* Paths that no rule of route.c takes for a value. */
static void random_path(char *target)
{
	uint8_t letters[12];

	random_bytes(letters, sizeof(letters));
	*target++ = '/';
	for (size_t i = 0; i < sizeof(letters); i++)
		*target++ = (char)('a' + letters[i] % 26);
	*target = '\0';
}

static void add_million(struct aggregate *to, bool ids, bool paths)
{
	struct frame frames[64];
	uint64_t real = 0;

	for (size_t i = 0; i < 64; i++)
		frames[i] = frame_of((const char *)setup + i, i == 0);
	for (uint32_t i = 0; i < MILLION; i++) {
		struct feed_context context = {.flags = FEED_CONTEXT_REQUEST, .method = "GET",
					       .target = "/shop/cart"};
		/* As it comes from walk.c: a copy each time. */
		struct stack *stack = stack_new(frames, 32 + i % 32, false);

		if (ids) {
			context.flags |= FEED_CONTEXT_IDS;
			random_bytes(context.trace_id, sizeof(context.trace_id));
			random_bytes(context.span_id, sizeof(context.span_id));
		}
		/* One request in ten is a real one. */
		if (paths && i % 10)
			random_path(context.target);
		else
			real++;
		aggregate_add(to, stack, &context, 1, 10000000);
		stack_put(stack);
	}
	assert_true(real >= MILLION / 10);
}

static uint64_t samples_named(const char *name)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < part_count; i++)
		for (size_t k = 0; k < parts[i]->n_sample; k++)
			for (size_t l = 0; l < parts[i]->sample[k]->n_label; l++)
				if (!strcmp(text(parts[i], parts[i]->sample[k]->label[l]->str), name))
					sum += (uint64_t)parts[i]->sample[k]->value[0];
	return sum;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Distinct values of a label over all parts. */
static size_t distinct(const char *key)
{
	static const char *values[MILLION];
	size_t n = 0, count = 0;

	for (size_t i = 0; i < part_count; i++)
		for (size_t k = 0; k < parts[i]->n_sample; k++)
			for (size_t l = 0; l < parts[i]->sample[k]->n_label; l++)
				if (!strcmp(text(parts[i], parts[i]->sample[k]->label[l]->key), key))
					values[n++] = text(parts[i], parts[i]->sample[k]->label[l]->str);
	qsort(values, n, sizeof(values[0]), by_text);
	for (size_t i = 0; i < n; i++)
		count += i == 0 || strcmp(values[i - 1], values[i]) != 0;
	return count;
}

/* Exports what a million made of an aggregate, and says and bounds how much that is. */
static void million(bool ids, bool paths)
{
	struct series *series = series_new();
	struct aggregate_options bounds = {.spans_max = SPANS, .series = series};
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, largest = 0, memory;

	aggregate_free(a);
	a = aggregate_new(1700000000000000000, &bounds);
	add_million(a, ids, paths);
	/* Under sanitizers it is 0. */
	memory = mallinfo2().uordblks + mallinfo2().hblkhd - before;
	aggregate_choose_names(a, series, 1700000000000000000);
	options.samples_max = EXPORT_SERVER_SAMPLES;
	options.bytes_max = EXPORT_SERVER_BYTES;
	export_all();
	for (size_t i = 0; i < part_count; i++) {
		assert_sound(parts[i]);
		assert_true(parts[i]->n_sample <= EXPORT_SERVER_SAMPLES);
		largest = part_sizes[i] > largest ? part_sizes[i] : largest;
	}
	print_message("a million%s%s: %zu entries, %zu KiB, %zu parts, the largest %zu KiB; %zu spans, %zu "
		      "traces, %zu names\n", ids ? " traces" : "", paths ? " paths" : "",
		      aggregate_count(a), memory / 1024, part_count, largest / 1024,
		      distinct("span_id"), distinct("trace_id"), distinct("span_name"));
	assert_true(aggregate_count(a) <= 3 * AGGREGATE_ENTRIES_MAX / 2);
	assert_true(memory < (size_t)32 << 20);
	assert_true(largest < EXPORT_SERVER_BYTES + (64 << 10));
	assert_int_equal(aggregate_folded(a)->samples, 0);
	assert_int_equal(aggregate_folded(a)->stacks, 0);
	assert_true(distinct("span_name") <= SERIES_MAX + 1);
	series_free(series);
}

static void a_million_traceparents_stay_within_the_bounds(void **state)
{
	million(true, false);
	assert_int_equal(distinct("span_id"), SPANS);
	assert_int_equal(distinct("trace_id"), AGGREGATE_ENTRIES_MAX);
	assert_int_equal(aggregate_folded(a)->spans, MILLION - SPANS);
	assert_int_equal(aggregate_folded(a)->ids, MILLION - AGGREGATE_ENTRIES_MAX);
	assert_int_equal(distinct("span_name"), 1);
	assert_int_equal(samples_named("GET /shop/cart"), MILLION);
}

static void a_million_paths_stay_within_the_bounds(void **state)
{
	million(false, true);
	assert_int_equal(distinct("span_name"), SERIES_MAX + 1);
	assert_int_equal(samples_named("GET /shop/cart"), MILLION / 10);
	/* Sums: whoever was not named is still there. */
	assert_int_equal(samples_named("GET") + MILLION / 10 + SERIES_MAX - 1, MILLION);
}

static void a_million_of_both_stay_within_the_bounds(void **state)
{
	million(true, true);
	assert_int_equal(distinct("span_id"), SPANS);
	assert_int_equal(samples_named("GET /shop/cart"), MILLION / 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_million_traceparents_stay_within_the_bounds),
	    TEST(a_million_paths_stay_within_the_bounds),
	    TEST(a_million_of_both_stay_within_the_bounds),
	    TEST(a_sample_comes_out_with_names_values_and_ids),
	    TEST(the_program_is_the_first_mapping),
	    TEST(trace_ids_can_be_left_out),
	    TEST(cut_stacks_have_a_root_that_says_so),
	    TEST(a_stack_of_nothing_is_given_a_name),
	    TEST(memory_without_an_object_has_a_name_and_no_address),
	    TEST(parts_hold_no_more_samples_than_they_may),
	    TEST(a_limit_that_is_met_exactly_makes_no_empty_part),
	    TEST(parts_are_no_larger_than_they_may_be_and_one_sample),
	    TEST(no_samples_are_no_part),
	    TEST(many_frames_are_kept_from_the_leaf_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
