/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interpreter.c - CPython keeps its lock, like all of its state, in one variable that the executable or
 * libpython exports. The reference is weak and bound when the program is loaded: a libpython that comes
 * later, by dlopen, is not seen, and looking for it would take the loader's lock amid the host's work.
 * BOOT, then read only.
 */
#include <dlfcn.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/interpreter.h"

extern char _PyRuntime[] __attribute__((weak));

static uintptr_t state;
static size_t state_size;

void interpreter_find(void)
{
	/* Through memory: the compiler takes an array's address for never null. */
	char *volatile found = _PyRuntime;
	const ElfW(Sym) *symbol = NULL;
	Dl_info info;

	if (!found || !dladdr1(found, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol)
		return;
	state = (uintptr_t)found;
	state_size = symbol->st_size;
}

bool interpreter_has(const void *object)
{
	return (uintptr_t)object - state < state_size;
}
