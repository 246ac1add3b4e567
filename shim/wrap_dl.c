/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_dl.c - dlclose: the process's published unwind tables are out of date from before it until the
 * agent has read the map again, and the agent is told what went. APP. On every thread, known to us or
 * not. dlopen is not wrapped: it finds its search path by its caller's address, which would become
 * ours, and what it adds is simply in no map yet.
 */
#include <dlfcn.h>

#include "shim/observe.h"
#include "shim/real.h"
#include "shim/tls_real.h"
#include "shim/unload.h"

EXPORT int dlclose(void *handle)
{
	struct unload unload;
	int result, saved = errno;

	tls_real_forget();
	unload_begin(&unload);
	errno = saved;
	result = REAL(dlclose)(handle);
	saved = errno;
	unload_end(&unload);
	errno = saved;
	return result;
}
