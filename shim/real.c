/* SPDX-License-Identifier: Apache-2.0 */
/*
 * real.c - resolves what we interpose. BOOT, or APP in a constructor that runs before ours. A symbol
 * that the C library lacks stays NULL; nothing can then have called our wrapper of it either, except a
 * program built against a newer library, which would not have started bare.
 */
#include <dlfcn.h>

#include "shim/real.h"

struct real real_symbols;

void real_resolve(void)
{
	/* Function pointers are written one word at a time; two threads resolving write the same. */
#define X(result, name, parameters)                                                                  \
	if (!real_symbols.name)                                                                      \
		*(void **)&real_symbols.name = dlsym(RTLD_NEXT, #name);
	REAL_SYMBOLS(X)
#undef X
}
