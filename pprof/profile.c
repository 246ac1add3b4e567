/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collects a profile in flat arrays and deduplicating tables, and knows at any time how long its
 * encoding will be: each message's length depends on nothing that comes later, so it is added up
 * as the message is added. encode.c reads the arrays. Context AGENT.
 */
#include "pprof/profile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64

/*
 * Lengths on the wire. Every field number of the format is below 16, so a tag takes one byte; a
 * scalar that is zero is left out.
 */
static size_t varint_size(uint64_t v)
{
	return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

static size_t scalar_size(uint64_t v)
{
	return v ? 1 + varint_size(v) : 0;
}

static size_t block_size(size_t len)
{
	return 1 + varint_size(len) + len;
}

/* The array with room for need elements, or NULL with the old one untouched. */
static void *reserve(void *array, size_t *cap, size_t need, size_t element)
{
	size_t n = *cap ? *cap : FIRST_CAPACITY, bytes;
	void *grown;

	if (need <= *cap)
		return array;
	while (n < need)
		if (__builtin_mul_overflow(n, 2, &n))
			return NULL;
	if (__builtin_mul_overflow(n, element, &bytes))
		return NULL;
	grown = realloc(array, bytes);
	if (grown)
		*cap = n;
	return grown;
}

static int64_t intern(struct pprof_profile *p, const char *text)
{
	size_t before = p->strings.n;
	int64_t index = pprof_strtab_intern(&p->strings, text);

	if (p->strings.n > before)
		p->body += block_size(p->strings.entries[index].len);
	return index;
}

static int intern_type(struct pprof_profile *p, const struct pprof_value_type *type,
		       struct pprof_type_row *row)
{
	if (!type->type || !*type->type)
		return -EINVAL;
	row->type = intern(p, type->type);
	row->unit = intern(p, type->unit);
	if (row->type < 0 || row->unit < 0)
		return -ENOMEM;
	p->body += block_size(scalar_size((uint64_t)row->type) + scalar_size((uint64_t)row->unit));
	return 0;
}

struct pprof_profile *pprof_profile_new(const struct pprof_value_type *sample_types, size_t n,
					struct pprof_value_type period_type, int64_t period)
{
	struct pprof_profile *p;

	if (n == 0 || n > PPROF_MAX_SAMPLE_TYPES)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	if (pprof_strtab_init(&p->strings) || pprof_strtab_init(&p->functions) ||
	    pprof_strtab_init(&p->locations))
		goto fail;
	p->body = block_size(0); /* the "" that heads the string table */
	p->period = period;
	p->n_types = n;
	/* Before all other text: compacting, Pyroscope does not renumber default_sample_type. */
	for (size_t i = 0; i < n; i++)
		if (intern_type(p, &sample_types[i], &p->types[i]))
			goto fail;
	if (intern_type(p, &period_type, &p->period_type))
		goto fail;
	return p;
fail:
	pprof_profile_free(p);
	return NULL;
}

void pprof_profile_free(struct pprof_profile *p)
{
	if (!p)
		return;
	pprof_strtab_release(&p->strings);
	pprof_strtab_release(&p->functions);
	pprof_strtab_release(&p->locations);
	free(p->mappings);
	free(p->samples);
	free(p->words);
	free(p->comments);
	free(p->scratch);
	free(p);
}

void pprof_profile_set_time(struct pprof_profile *p, int64_t time_nanos, int64_t duration_nanos)
{
	p->time_nanos = time_nanos;
	p->duration_nanos = duration_nanos;
}

int pprof_profile_set_default_sample_type(struct pprof_profile *p, const char *type)
{
	for (size_t i = 0; i < p->n_types; i++) {
		if (!strcmp(p->strings.strings[p->types[i].type], type)) {
			p->default_type = p->types[i].type;
			return 0;
		}
	}
	return -EINVAL;
}

int pprof_profile_add_comment(struct pprof_profile *p, const char *text)
{
	int64_t *comments, index;

	comments = reserve(p->comments, &p->cap_comments, p->n_comments + 1, sizeof(*comments));
	if (!comments)
		return -ENOMEM;
	p->comments = comments;
	index = intern(p, text);
	if (index < 0)
		return -ENOMEM;
	p->comments[p->n_comments++] = index;
	p->comment_body += varint_size((uint64_t)index);
	return 0;
}

uint64_t pprof_mapping(struct pprof_profile *p, uint64_t start, uint64_t limit, uint64_t offset,
		       const char *filename, const char *build_id, unsigned int flags)
{
	struct pprof_mapping_row *mappings, row = {.start = start, .limit = limit};
	uint64_t id = p->n_mappings + 1;

	mappings = reserve(p->mappings, &p->cap_mappings, id, sizeof(*mappings));
	if (!mappings)
		return 0;
	p->mappings = mappings;
	row.offset = offset;
	row.flags = flags & PPROF_HAS_ALL;
	row.filename = intern(p, filename);
	row.build_id = intern(p, build_id);
	if (row.filename < 0 || row.build_id < 0)
		return 0;
	mappings[p->n_mappings++] = row;
	p->body += block_size(scalar_size(id) + scalar_size(start) + scalar_size(limit) +
			      scalar_size(offset) + scalar_size((uint64_t)row.filename) +
			      scalar_size((uint64_t)row.build_id) +
			      scalar_size(true) * (size_t)__builtin_popcount(row.flags));
	return id;
}

uint64_t pprof_function(struct pprof_profile *p, const char *name, const char *system_name,
			const char *filename, int64_t start_line)
{
	struct pprof_function_row row = {.start_line = start_line};
	size_t before = p->functions.n;
	int64_t id;

	row.name = intern(p, name);
	row.system_name = intern(p, system_name);
	row.filename = intern(p, filename);
	if (row.name < 0 || row.system_name < 0 || row.filename < 0)
		return 0;
	id = pprof_strtab_intern_bytes(&p->functions, &row, sizeof(row));
	if (id < 0)
		return 0;
	if (p->functions.n > before)
		p->body += block_size(scalar_size((uint64_t)id) + scalar_size((uint64_t)row.name) +
				      scalar_size((uint64_t)row.system_name) +
				      scalar_size((uint64_t)row.filename) +
				      scalar_size((uint64_t)start_line));
	return (uint64_t)id;
}

static size_t lines_size(const struct pprof_line *lines, size_t n)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		size += block_size(scalar_size(lines[i].function_id) +
				   scalar_size((uint64_t)lines[i].line));
	return size;
}

static bool location_valid(const struct pprof_profile *p, uint64_t mapping_id,
			   const struct pprof_line *lines, size_t n_lines)
{
	if (mapping_id > p->n_mappings || n_lines == 0)
		return false;
	for (size_t i = 0; i < n_lines; i++)
		if (lines[i].function_id == 0 || lines[i].function_id >= p->functions.n)
			return false;
	return true;
}

uint64_t pprof_location(struct pprof_profile *p, uint64_t mapping_id, uint64_t address,
			const struct pprof_line *lines, size_t n_lines)
{
	size_t size, before = p->locations.n;
	struct pprof_location_row *row;
	int64_t id;

	if (!location_valid(p, mapping_id, lines, n_lines))
		return 0;
	size = sizeof(*row) + n_lines * sizeof(*lines);
	row = reserve(p->scratch, &p->cap_scratch, size, 1);
	if (!row)
		return 0;
	p->scratch = row;
	row->mapping_id = mapping_id;
	row->address = address;
	memcpy(row->lines, lines, n_lines * sizeof(*lines));
	id = pprof_strtab_intern_bytes(&p->locations, row, size);
	if (id < 0)
		return 0;
	if (p->locations.n > before) {
		p->n_lines += n_lines;
		p->body += block_size(scalar_size((uint64_t)id) + scalar_size(mapping_id) +
				      scalar_size(address) + lines_size(lines, n_lines));
	}
	return (uint64_t)id;
}

static bool stack_valid(const struct pprof_profile *p, const uint64_t *locations, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (locations[i] == 0 || locations[i] >= p->locations.n)
			return false;
	return n > 0;
}

/* The labels as (key, str) pairs: their number, or what pprof_sample() is to return. */
static int intern_labels(struct pprof_profile *p, const struct pprof_label *labels, size_t n,
			 uint64_t *pairs)
{
	int kept = 0;

	if (n > PPROF_MAX_LABELS)
		return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		int64_t key, str;

		if (!labels[i].key || !*labels[i].key)
			return -EINVAL;
		if (!labels[i].str || !*labels[i].str)
			continue;
		key = intern(p, labels[i].key);
		str = intern(p, labels[i].str);
		if (key < 0 || str < 0)
			return -ENOMEM;
		pairs[2 * kept] = (uint64_t)key;
		pairs[2 * kept + 1] = (uint64_t)str;
		kept++;
	}
	return kept;
}

static size_t packed_size(const uint64_t *words, size_t n)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		size += varint_size(words[i]);
	return block_size(size);
}

static size_t sample_size(const struct pprof_profile *p, const struct pprof_sample_row *s)
{
	const uint64_t *values = p->words + s->first + s->n_locations;
	const uint64_t *pairs = values + p->n_types;
	size_t size = packed_size(values, p->n_types);

	size += packed_size(p->words + s->first, s->n_locations);
	for (size_t i = 0; i < s->n_labels; i++)
		size += block_size(scalar_size(pairs[2 * i]) + scalar_size(pairs[2 * i + 1]));
	return size;
}

int pprof_sample(struct pprof_profile *p, const uint64_t *locations, size_t n,
		 const int64_t *values, const struct pprof_label *labels, size_t n_labels)
{
	struct pprof_sample_row *samples, row = {.first = p->n_words, .n_locations = n};
	uint64_t pairs[2 * PPROF_MAX_LABELS], *words;
	size_t n_words;
	int kept;

	if (!stack_valid(p, locations, n))
		return -EINVAL;
	kept = intern_labels(p, labels, n_labels, pairs);
	if (kept < 0)
		return kept;
	row.n_labels = (size_t)kept;
	n_words = n + p->n_types + 2 * row.n_labels;
	samples = reserve(p->samples, &p->cap_samples, p->n_samples + 1, sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	p->samples = samples;
	words = reserve(p->words, &p->cap_words, p->n_words + n_words, sizeof(*words));
	if (!words)
		return -ENOMEM;
	p->words = words;
	words += row.first;
	memcpy(words, locations, n * sizeof(*words));
	memcpy(words + n, values, p->n_types * sizeof(*words));
	memcpy(words + n + p->n_types, pairs, 2 * row.n_labels * sizeof(*words));
	p->n_words += n_words;
	p->n_labels += row.n_labels;
	samples[p->n_samples++] = row;
	p->body += block_size(sample_size(p, &row));
	return 0;
}

size_t pprof_profile_size(const struct pprof_profile *p)
{
	return p->body + scalar_size((uint64_t)p->time_nanos) +
	       scalar_size((uint64_t)p->duration_nanos) + scalar_size((uint64_t)p->period) +
	       scalar_size((uint64_t)p->default_type) +
	       (p->n_comments ? block_size(p->comment_body) : 0);
}

size_t pprof_profile_samples(const struct pprof_profile *p)
{
	return p->n_samples;
}
