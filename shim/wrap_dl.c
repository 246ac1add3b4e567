/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_dl.c - dlclose: the process's published unwind tables are out of date from before it until the
 * agent has read the map again. APP. dlopen is not wrapped: it finds its search path by its caller's
 * address, which would become ours, and what it adds is simply not in the tables yet.
 */
#include <dlfcn.h>

#include "shim/observe.h"
#include "shim/real.h"
#include "shim/region.h"

static void change_epoch(void)
{
	struct region *r;

	self_enter();
	r = region_get();
	if (r && self_state() == SELF_READY)
		atomic_fetch_add(&r->processes[self_page->slot].maps_epoch, 1);
	self_leave();
}

EXPORT int dlclose(void *handle)
{
	int result;

	OBSERVE(change_epoch());
	result = REAL(dlclose)(handle);
	OBSERVE(change_epoch());
	return result;
}
