/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pprof profile in the making: the caller names the sample types, adds mappings, functions and
 * locations as it meets them, and then samples that refer to them; encode.h turns the result into
 * the bytes that are sent. Functions and locations are kept once, samples as they come: the caller
 * has aggregated them.
 *
 * Context AGENT, one thread at a time. Texts are copied; NULL stands for "". A call that fails
 * leaves the profile valid and encodable, less what it was to add.
 *
 * Servers refuse a whole profile that is too large, so a caller looks at pprof_profile_size() and
 * pprof_profile_samples() after each sample and goes on in a new profile before a limit. They also
 * cut stacks (Pyroscope: at 1000 locations, and the leaf's end goes): the caller bounds those.
 */
#ifndef PPROF_PROFILE_H
#define PPROF_PROFILE_H

#include "pprof/strtab.h"

#include <stddef.h>
#include <stdint.h>

#define PPROF_MAX_SAMPLE_TYPES 8

/* Labels of one sample. Pyroscope refuses a profile in which a sample has more. */
#define PPROF_MAX_LABELS 100

struct pprof_value_type {
	const char *type; /* "cpu" */
	const char *unit; /* "nanoseconds" */
};

struct pprof_line {
	uint64_t function_id;
	int64_t line; /* 0: not known */
};

struct pprof_label {
	const char *key;
	const char *str;
};

/*
 * What the locations of a mapping carry. Pyroscope forgets the addresses of a mapping that claims
 * PPROF_HAS_FUNCTIONS, which is what we want: addresses that differ only by ASLR then fall
 * together.
 */
enum pprof_mapping_flags {
	PPROF_HAS_FUNCTIONS = 1 << 0,
	PPROF_HAS_FILENAMES = 1 << 1,
	PPROF_HAS_LINE_NUMBERS = 1 << 2,
	PPROF_HAS_INLINE_FRAMES = 1 << 3,
	PPROF_HAS_ALL = (1 << 4) - 1,
};

struct pprof_profile;

/* NULL when memory is short, or n is 0 or over PPROF_MAX_SAMPLE_TYPES, or a type has no name. */
struct pprof_profile *pprof_profile_new(const struct pprof_value_type *sample_types, size_t n,
					struct pprof_value_type period_type, int64_t period);
void pprof_profile_free(struct pprof_profile *p);

void pprof_profile_set_time(struct pprof_profile *p, int64_t time_nanos, int64_t duration_nanos);

/* -EINVAL unless it is one of the sample types. Unset, viewers open with the last one. */
int pprof_profile_set_default_sample_type(struct pprof_profile *p, const char *type);
int pprof_profile_add_comment(struct pprof_profile *p, const char *text);

/* These return an id above 0; 0 when memory is short or an argument names no such thing. */
uint64_t pprof_mapping(struct pprof_profile *p, uint64_t start, uint64_t limit, uint64_t offset,
		       const char *filename, const char *build_id, unsigned int flags);
uint64_t pprof_function(struct pprof_profile *p, const char *name, const char *system_name,
			const char *filename, int64_t start_line);

/*
 * Lines run from the innermost inlined function outwards. At least one is demanded, because a
 * location without any disappears in Pyroscope; mapping_id may be 0 (code that no file holds).
 */
uint64_t pprof_location(struct pprof_profile *p, uint64_t mapping_id, uint64_t address,
			const struct pprof_line *lines, size_t n_lines);

/*
 * Locations are leaf first and at least one, values as many as there are sample types. A label
 * without a text is left out, as readers would take it for a number. 0, -ENOMEM, -E2BIG above
 * PPROF_MAX_LABELS, -EINVAL for a location that does not exist or a label without a key.
 */
int pprof_sample(struct pprof_profile *p, const uint64_t *locations, size_t n,
		 const int64_t *values, const struct pprof_label *labels, size_t n_labels);

/* Exact size of the encoded profile before compression; costs nothing to ask. */
size_t pprof_profile_size(const struct pprof_profile *p);
size_t pprof_profile_samples(const struct pprof_profile *p);

/* From here on for encode.c alone: texts are indices into strings, ids count from 1. */
struct pprof_type_row {
	int64_t type, unit;
};

struct pprof_mapping_row {
	uint64_t start, limit, offset;
	int64_t filename, build_id;
	unsigned int flags;
};

/* Rows of the tables "functions" and "locations": no padding, since equal means equal bytes. */
struct pprof_function_row {
	int64_t name, system_name, filename, start_line;
};

struct pprof_location_row {
	uint64_t mapping_id, address;
	struct pprof_line lines[]; /* as many as the row is long */
};

/* In words from first on: locations, one value for each sample type, (key, str) of each label. */
struct pprof_sample_row {
	size_t first, n_locations, n_labels;
};

struct pprof_profile {
	struct pprof_strtab strings, functions, locations;
	struct pprof_type_row types[PPROF_MAX_SAMPLE_TYPES], period_type;
	size_t n_types;
	int64_t period, time_nanos, duration_nanos, default_type;
	struct pprof_mapping_row *mappings;
	struct pprof_sample_row *samples;
	uint64_t *words;
	int64_t *comments;
	struct pprof_location_row *scratch; /* the row that is being looked up */
	size_t n_mappings, cap_mappings, n_samples, cap_samples, n_words, cap_words;
	size_t n_comments, cap_comments, cap_scratch;
	size_t n_lines, n_labels; /* of all locations, of all samples */
	size_t body;		  /* encoded size of all but the scalars and the comments */
	size_t comment_body;	  /* encoded size of the comments' indices */
};

#endif
