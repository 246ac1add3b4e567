/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_tables.h - what the agent would publish, for the calling process itself: its executable mappings
 * and their compiled unwind rows, in private memory. For the test and the bench of the handler's walk.
 */
#ifndef SPANPROF_TEST_OWN_TABLES_H
#define SPANPROF_TEST_OWN_TABLES_H

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/ehframe.h"
#include "agent/maps.h"
#include "agent/module.h"
#include "agent/undescribed.h"
#include "shim/unwind.h"

#define OWN_TABLES_AREA (64U << 20)
#define OWN_TABLES_ROWS (1U << 20) /* rows from here on; the snapshot, at 8, before */

struct own_tables {
	uint8_t *area;
	struct unwind_tables tables;
	struct maps maps;
	struct modules *modules;
	uintptr_t stack_high; /* of the main thread */
};

static inline void own_tables_add(struct own_tables *o, const struct maps_entry *e, uint32_t *at)
{
	struct feed_snapshot *snapshot = (struct feed_snapshot *)(o->area + o->tables.snapshot);
	struct feed_mapping *m = &snapshot->mappings[snapshot->count++];
	struct module *module = module_get(o->modules, e, getpid());
	struct ehframe_table table;

	*m = (struct feed_mapping){.start = e->start, .end = e->end};
	if (module->anon || module->error)
		return;
	ehframe_compile(module_frames(module), &table);
	undescribed_add(module, &table);
	if (!table.count)
		return;
	if (*at + ehframe_published_size(&table) < OWN_TABLES_AREA) {
		ehframe_publish(&table, o->area + *at);
		m->rows_offset = *at;
		m->row_count = (uint32_t)table.count;
		m->base = e->start - module_vaddr(module, e, e->start) + table.base;
		*at += (uint32_t)(ehframe_published_size(&table) + 7) & ~7U;
	}
	ehframe_release(&table);
}

static inline void own_tables_make(struct own_tables *o)
{
	uint32_t at = OWN_TABLES_ROWS;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	memset(o, 0, sizeof(*o));
	o->area = calloc(1, OWN_TABLES_AREA);
	o->tables = (struct unwind_tables){.base = o->area, .size = OWN_TABLES_AREA, .snapshot = 8};
	o->modules = modules_new();
	maps_init(&o->maps);
	maps_read_fd(&o->maps, fd);
	close(fd);
	for (size_t i = 0; i < o->maps.count; i++) {
		const struct maps_entry *e = &o->maps.entries[i];

		if (strcmp(e->path, "[stack]") == 0)
			o->stack_high = e->end;
		if (e->exec && strcmp(e->path, "[vsyscall]") != 0)
			own_tables_add(o, e, &at);
	}
}

static inline void own_tables_release(struct own_tables *o)
{
	modules_free(o->modules);
	maps_release(&o->maps);
	free(o->area);
}

#endif
