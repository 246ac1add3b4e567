/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.h - an aggregate to encoded pprof: the only bridge between agent/ and pprof/. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_EXPORT_H
#define SPANPROF_AGENT_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/aggregate.h"
#include "agent/module.h"

/* What Pyroscope takes of one profile, with room to spare: 16 000 samples, 2 MiB before compression. */
#define EXPORT_SERVER_SAMPLES 15000
#define EXPORT_SERVER_BYTES (1300 * 1024)

struct export_options {
	struct module *program; /* first mapping, or NULL */
	uint64_t period_ns;
	uint64_t until_unix_ns;
	bool trace_ids;	     /* label samples with trace_id */
	size_t samples_max;  /* of one part; 0: no limit */
	size_t bytes_max;    /* before compression; 0: no limit */
};

/* Takes over bytes (malloc'ed). */
typedef void export_part(void *arg, unsigned char *bytes, size_t n);

/* Encode all, in as many parts as the limits ask for. 0 or -errno; parts given stay given. */
int export_profile(const struct aggregate *a, const struct export_options *options,
		   export_part *part, void *arg);

#endif
