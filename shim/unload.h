/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unload.h - tells the agent which objects a dlclose unloads: their names go with them, and their
 * addresses may be another's at once. Context: APP, before and after the real dlclose; BOOT for init.
 * Nothing is allocated, and no lock is taken but the loader's own, as dlclose does anyway.
 */
#ifndef SPANPROF_SHIM_UNLOAD_H
#define SPANPROF_SHIM_UNLOAD_H

#include <stdint.h>

struct unload_watch;

/* One dlclose, on its caller's stack. */
struct unload {
	uint32_t session; /* 0: there was no region to tell */
	uint32_t begin;
	struct unload_watch *watch; /* NULL: none was free */
};

/* What is loaded now is never unloaded. */
void unload_init(void);
void unload_begin(struct unload *unload);
void unload_end(struct unload *unload);

#endif
