/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lays the rows of a profile out as protobuf-c messages, packs them into one buffer and compresses
 * that. The messages borrow the profile's arrays wherever the types allow, so what is allocated
 * here is a handful of arrays, all at once. The sole user of protobuf-c and zlib. Context AGENT.
 */
#include "pprof/encode.h"

#include "pprof/profile.pb-c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Half the time of zlib's default for 6 % more bytes: it is the measured program's machine. */
#define GZIP_LEVEL 3
#define GZIP_WINDOW (MAX_WBITS + 16) /* + 16 asks zlib for a gzip header and trailer */
#define GZIP_MEMORY 8

/*
 * Messages of one kind, and the pointers to them that a repeated field wants. protobuf-c reads
 * such a field as an array of void pointers whatever the message.
 */
struct messages {
	void *at;
	void **pointers;
};

struct image {
	Perftools__Profiles__Profile profile;
	Perftools__Profiles__ValueType period_type;
	struct messages types, samples, labels, mappings, locations, lines, functions;
};

static int messages_init(struct messages *m, size_t n, size_t size)
{
	m->at = calloc(n + 1, size);
	m->pointers = calloc(n + 1, sizeof(*m->pointers));
	if (!m->at || !m->pointers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		m->pointers[i] = (char *)m->at + i * size;
	return 0;
}

static void messages_release(struct messages *m)
{
	free(m->at);
	free(m->pointers);
}

static void image_release(struct image *im)
{
	messages_release(&im->types);
	messages_release(&im->samples);
	messages_release(&im->labels);
	messages_release(&im->mappings);
	messages_release(&im->locations);
	messages_release(&im->lines);
	messages_release(&im->functions);
}

/* Leaves the allocated arrays to image_release() in any case. */
static int image_init(struct image *im, const struct pprof_profile *p)
{
	memset(im, 0, sizeof(*im));
	if (messages_init(&im->types, p->n_types, sizeof(Perftools__Profiles__ValueType)) ||
	    messages_init(&im->samples, p->n_samples, sizeof(Perftools__Profiles__Sample)) ||
	    messages_init(&im->labels, p->n_labels, sizeof(Perftools__Profiles__Label)) ||
	    messages_init(&im->mappings, p->n_mappings, sizeof(Perftools__Profiles__Mapping)) ||
	    messages_init(&im->locations, p->locations.n, sizeof(Perftools__Profiles__Location)) ||
	    messages_init(&im->lines, p->n_lines, sizeof(Perftools__Profiles__Line)) ||
	    messages_init(&im->functions, p->functions.n, sizeof(Perftools__Profiles__Function)))
		return -ENOMEM;
	return 0;
}

static void fill_type(Perftools__Profiles__ValueType *out, const struct pprof_type_row *row)
{
	perftools__profiles__value_type__init(out);
	out->type = row->type;
	out->unit = row->unit;
}

static void fill_samples(struct image *im, const struct pprof_profile *p)
{
	Perftools__Profiles__Sample *out = im->samples.at;
	Perftools__Profiles__Label *label = im->labels.at;
	void **label_pointers = im->labels.pointers;

	for (size_t i = 0; i < p->n_samples; i++, out++) {
		const struct pprof_sample_row *row = &p->samples[i];
		uint64_t *words = p->words + row->first;

		perftools__profiles__sample__init(out);
		out->n_location_id = row->n_locations;
		out->location_id = words;
		words += row->n_locations;
		out->n_value = p->n_types;
		out->value = (int64_t *)words;
		words += p->n_types;
		out->n_label = row->n_labels;
		out->label = (Perftools__Profiles__Label **)label_pointers;
		label_pointers += row->n_labels;
		for (size_t j = 0; j < row->n_labels; j++, label++, words += 2) {
			perftools__profiles__label__init(label);
			label->key = (int64_t)words[0];
			label->str = (int64_t)words[1];
		}
	}
}

static void fill_mappings(struct image *im, const struct pprof_profile *p)
{
	Perftools__Profiles__Mapping *out = im->mappings.at;

	for (size_t i = 0; i < p->n_mappings; i++, out++) {
		const struct pprof_mapping_row *row = &p->mappings[i];

		perftools__profiles__mapping__init(out);
		out->id = i + 1;
		out->memory_start = row->start;
		out->memory_limit = row->limit;
		out->file_offset = row->offset;
		out->filename = row->filename;
		out->build_id = row->build_id;
		out->has_functions = !!(row->flags & PPROF_HAS_FUNCTIONS);
		out->has_filenames = !!(row->flags & PPROF_HAS_FILENAMES);
		out->has_line_numbers = !!(row->flags & PPROF_HAS_LINE_NUMBERS);
		out->has_inline_frames = !!(row->flags & PPROF_HAS_INLINE_FRAMES);
	}
}

static void fill_locations(struct image *im, const struct pprof_profile *p)
{
	Perftools__Profiles__Location *out = im->locations.at;
	Perftools__Profiles__Line *line = im->lines.at;
	void **line_pointers = im->lines.pointers;

	for (size_t i = 1; i < p->locations.n; i++, out++) {
		const void *bytes = p->locations.strings[i];
		const struct pprof_location_row *row = bytes;
		size_t n = (p->locations.entries[i].len - sizeof(*row)) / sizeof(row->lines[0]);

		perftools__profiles__location__init(out);
		out->id = i;
		out->mapping_id = row->mapping_id;
		out->address = row->address;
		out->n_line = n;
		out->line = (Perftools__Profiles__Line **)line_pointers;
		line_pointers += n;
		for (size_t j = 0; j < n; j++, line++) {
			perftools__profiles__line__init(line);
			line->function_id = row->lines[j].function_id;
			line->line = row->lines[j].line;
		}
	}
}

static void fill_functions(struct image *im, const struct pprof_profile *p)
{
	Perftools__Profiles__Function *out = im->functions.at;

	for (size_t i = 1; i < p->functions.n; i++, out++) {
		const void *bytes = p->functions.strings[i];
		const struct pprof_function_row *row = bytes;

		perftools__profiles__function__init(out);
		out->id = i;
		out->name = row->name;
		out->system_name = row->system_name;
		out->filename = row->filename;
		out->start_line = row->start_line;
	}
}

static void fill_profile(struct image *im, const struct pprof_profile *p)
{
	Perftools__Profiles__Profile *out = &im->profile;
	Perftools__Profiles__ValueType *types = im->types.at;

	perftools__profiles__profile__init(out);
	for (size_t i = 0; i < p->n_types; i++)
		fill_type(&types[i], &p->types[i]);
	fill_type(&im->period_type, &p->period_type);
	out->n_sample_type = p->n_types;
	out->sample_type = (Perftools__Profiles__ValueType **)im->types.pointers;
	out->n_sample = p->n_samples;
	out->sample = (Perftools__Profiles__Sample **)im->samples.pointers;
	out->n_mapping = p->n_mappings;
	out->mapping = (Perftools__Profiles__Mapping **)im->mappings.pointers;
	out->n_location = p->locations.n - 1;
	out->location = (Perftools__Profiles__Location **)im->locations.pointers;
	out->n_function = p->functions.n - 1;
	out->function = (Perftools__Profiles__Function **)im->functions.pointers;
	out->n_string_table = p->strings.n;
	out->string_table = p->strings.strings;
	out->time_nanos = p->time_nanos;
	out->duration_nanos = p->duration_nanos;
	out->period_type = &im->period_type;
	out->period = p->period;
	out->n_comment = p->n_comments;
	out->comment = p->comments;
	out->default_sample_type = p->default_type;
}

/*
 * Into a buffer of the full size: protobuf-c's growing buffers lose data silently when memory is
 * short.
 */
static int pack(const struct pprof_profile *p, unsigned char **out, size_t *len)
{
	struct image im;
	int ret = image_init(&im, p);

	if (ret)
		goto out;
	fill_samples(&im, p);
	fill_mappings(&im, p);
	fill_locations(&im, p);
	fill_functions(&im, p);
	fill_profile(&im, p);
	*len = perftools__profiles__profile__get_packed_size(&im.profile);
	*out = malloc(*len);
	if (*out)
		perftools__profiles__profile__pack(&im.profile, *out);
	else
		ret = -ENOMEM;
out:
	image_release(&im);
	return ret;
}

static int gzip(unsigned char *in, size_t in_len, unsigned char **out, size_t *len)
{
	z_stream z = {.next_in = in, .avail_in = (uInt)in_len};
	unsigned char *buffer, *shrunk;
	size_t bound;
	int ret;

	if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	bound = deflateBound(&z, in_len);
	buffer = malloc(bound);
	if (!buffer) {
		deflateEnd(&z);
		return -ENOMEM;
	}
	z.next_out = buffer;
	z.avail_out = (uInt)bound;
	ret = deflate(&z, Z_FINISH);
	*len = z.total_out;
	deflateEnd(&z);
	if (ret != Z_STREAM_END) { /* cannot be: the bound is zlib's own */
		free(buffer);
		return -EFBIG;
	}
	shrunk = realloc(buffer, *len);
	*out = shrunk ? shrunk : buffer;
	return 0;
}

int pprof_encode(const struct pprof_profile *p, unsigned char **out, size_t *len)
{
	unsigned char *packed = NULL;
	size_t packed_len = 0;
	int ret;

	*out = NULL;
	*len = 0;
	if (pprof_profile_size(p) > PPROF_MAX_ENCODED)
		return -EFBIG;
	ret = pack(p, &packed, &packed_len);
	if (!ret)
		ret = gzip(packed, packed_len, out, len);
	free(packed);
	return ret;
}
