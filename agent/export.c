/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.c - names every frame and builds the profile. AGENT, in the encoder's thread. Each location gets at least one line,
 * because Pyroscope drops those without; addresses are the object's own (as linked), because one
 * profile holds processes that mapped it at different places.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/export.h"
#include "agent/jit.h"
#include "agent/symbol.h"
#include "pprof/encode.h"
#include "pprof/profile.h"

#define EXPORT_FRAMES_MAX 1024
#define EXPORT_INLINE_MAX 64
#define EXPORT_CACHE 4096
#define EXPORT_TRUNCATED "[truncated stack]"
#define EXPORT_UNKNOWN "[unknown]"
#define EXPORT_ENDED "[ended between ticks]"

/* Ids of the part being built, so that a frame is looked up by name once a part and not once a stack. */
struct known_location {
	struct frame frame;
	uint64_t id;
};

struct known_mapping {
	const struct module *module;
	uint64_t id;
};

struct export {
	const struct export_options *options;
	const struct aggregate *aggregate;
	struct pprof_profile *profile;
	export_part *part;
	void *arg;
	struct known_mapping *mappings;
	size_t mapping_count, mapping_room;
	struct known_location locations[EXPORT_CACHE]; /* direct-mapped: a miss is only slower */
};

static void hex(char *to, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		to[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		to[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	to[2 * n] = 0;
}

static bool is_set(const uint8_t *id, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (id[i])
			return true;
	return false;
}

static uint64_t mapping_of(struct export *e, const struct module *m)
{
	struct known_mapping *mappings = e->mappings;
	uint64_t id;

	for (size_t i = 0; i < e->mapping_count; i++)
		if (mappings[i].module == m)
			return mappings[i].id;
	if (e->mapping_count == e->mapping_room) {
		e->mapping_room = e->mapping_room ? 2 * e->mapping_room : 32;
		mappings = realloc(mappings, e->mapping_room * sizeof(*mappings));
		if (!mappings)
			return 0;
		e->mappings = mappings;
	}
	/* Until its file is there, its facts are not. */
	if (m->error)
		id = pprof_mapping(e->profile, 0, 0, 0, *m->path ? m->path : m->name, "",
				   PPROF_HAS_FUNCTIONS);
	else
		id = pprof_mapping(e->profile, m->text_vaddr, m->text_vaddr + m->text_size, m->text_offset,
			   *m->path ? m->path : m->name, m->build_id, PPROF_HAS_FUNCTIONS);
	if (id)
		mappings[e->mapping_count++] = (struct known_mapping){m, id};
	return id;
}

static uint64_t function_of(struct export *e, const struct symbol_frame *f)
{
	return pprof_function(e->profile, f->name, f->system_name, f->file, f->start_line);
}

/* A location that is only a name: what the stack's state is, or that nothing is known. */
static uint64_t note_of(struct export *e, const char *name)
{
	struct pprof_line line = {
		.function_id = pprof_function(e->profile, name, name, NULL, 0)};

	return line.function_id ? pprof_location(e->profile, 0, 0, &line, 1) : 0;
}

static uint64_t make_location(struct export *e, const struct frame *f)
{
	struct symbol_frame names[EXPORT_INLINE_MAX];
	struct pprof_line lines[EXPORT_INLINE_MAX];
	/* A return address belongs to the call before it. */
	uint64_t vaddr = f->exact || f->module->anon ? f->vaddr : f->vaddr - 1;
	size_t n = jit_resolve(f, names) ? 1 : symbol_resolve(f->module, vaddr, names,
							      EXPORT_INLINE_MAX);
	uint64_t mapping = f->module->anon ? 0 : mapping_of(e, f->module);

	if (!mapping && !f->module->anon)
		return 0;
	for (size_t i = 0; i < n; i++) {
		lines[i].function_id = function_of(e, &names[i]);
		lines[i].line = names[i].line;
		if (!lines[i].function_id)
			return 0;
	}
	/* A name's number means nothing outside of this agent. */
	return pprof_location(e->profile, mapping, f->module->anon ? 0 : vaddr, lines, n);
}

static uint64_t location_of(struct export *e, const struct frame *f)
{
	uint64_t hash = (f->vaddr ^ (uintptr_t)f->module ^ f->exact) * 0x9e3779b97f4a7c15ULL;
	struct known_location *known = &e->locations[hash >> 52];

	if (known->id && known->frame.module == f->module && known->frame.vaddr == f->vaddr &&
	    known->frame.exact == f->exact)
		return known->id;
	known->id = make_location(e, f);
	known->frame = *f;
	return known->id;
}

static int start_part(struct export *e)
{
	static const struct pprof_value_type types[] = {{"samples", "count"},
							{"cpu", "nanoseconds"}};
	uint64_t start = aggregate_start(e->aggregate);

	e->mapping_count = 0;
	memset(e->locations, 0, sizeof(e->locations));
	e->profile = pprof_profile_new(types, 2, types[1], (int64_t)e->options->period_ns);
	if (!e->profile)
		return -ENOMEM;
	pprof_profile_set_time(e->profile, (int64_t)start,
			       (int64_t)(e->options->until_unix_ns - start));
	if (e->options->program && !mapping_of(e, e->options->program))
		return -ENOMEM;
	return pprof_profile_set_default_sample_type(e->profile, "cpu");
}

static int finish_part(struct export *e)
{
	unsigned char *bytes;
	size_t n;
	int error = pprof_encode(e->profile, &bytes, &n);

	pprof_profile_free(e->profile);
	e->profile = NULL;
	if (!error)
		e->part(e->arg, bytes, n);
	return error;
}

static bool part_full(const struct export *e)
{
	const struct export_options *o = e->options;

	return (o->samples_max && pprof_profile_samples(e->profile) >= o->samples_max) ||
	       (o->bytes_max && pprof_profile_size(e->profile) >= o->bytes_max);
}

static int add_entry(struct export *e, const struct entry *entry)
{
	uint64_t locations[EXPORT_FRAMES_MAX + 1];
	int64_t values[2] = {(int64_t)entry->weight, (int64_t)entry->nanoseconds};
	const struct entry_labels *l = &entry->labels;
	const char *name = aggregate_name(e->aggregate, entry);
	char trace_id[33], span_id[17];
	struct pprof_label labels[3];
	size_t n = 0, label_count = 0;

	for (uint32_t i = 0; i < entry->stack->count && n < EXPORT_FRAMES_MAX; i++)
		locations[n++] = location_of(e, &entry->stack->frames[i]);
	if (entry->stack->truncated || n == 0) {
		locations[n] = note_of(e, n ? EXPORT_TRUNCATED : entry->stack->truncated
					  ? EXPORT_UNKNOWN : EXPORT_ENDED);
		n++;
	}
	for (size_t i = 0; i < n; i++)
		if (!locations[i])
			return -ENOMEM;
	if (is_set(l->span_id, sizeof(l->span_id))) {
		hex(span_id, l->span_id, sizeof(l->span_id));
		labels[label_count++] = (struct pprof_label){"span_id", span_id};
	}
	if (is_set(l->trace_id, sizeof(l->trace_id)) && e->options->trace_ids) {
		hex(trace_id, l->trace_id, sizeof(l->trace_id));
		labels[label_count++] = (struct pprof_label){"trace_id", trace_id};
	}
	if (name)
		labels[label_count++] = (struct pprof_label){"span_name", name};
	return pprof_sample(e->profile, locations, n, values, labels, label_count);
}

static int export_all(struct export *e)
{
	int error = 0;

	for (size_t i = 0; i < aggregate_count(e->aggregate) && !error; i++) {
		if (!e->profile)
			error = start_part(e);
		if (!error)
			error = add_entry(e, aggregate_entry(e->aggregate, i));
		if (!error && part_full(e))
			error = finish_part(e);
	}
	if (!error && e->profile)
		error = finish_part(e);
	return error;
}

int export_profile(const struct aggregate *a, const struct export_options *options,
		   export_part *part, void *arg)
{
	struct export *e = calloc(1, sizeof(*e));
	int error;

	if (!e)
		return -ENOMEM;
	*e = (struct export){.options = options, .aggregate = a, .part = part, .arg = arg};
	error = export_all(e);
	pprof_profile_free(e->profile);
	free(e->mappings);
	free(e);
	return error;
}
