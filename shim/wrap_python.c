/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_python.c - CPython's switch between asyncio's tasks: its _asyncio module (3.10 and later) runs each
 * step of a task by PyIter_Send with the task's outermost coroutine, which ends in that task or with it.
 * Seen where that function is in a shared libpython; one in the executable itself comes before ours in
 * the search order. The interpreter calls it too, for coroutines and generators inside others: those are
 * part of the step, or of no task. Only the stable ABI is used, objects are addresses, and no reference
 * is taken. APP, with the interpreter's lock.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "shim/coroutine.h"
#include "shim/live.h"
#include "shim/observe.h"
#include "shim/tls_real.h"

#define WHICH (TLS_REAL_NAMES - 1)
#define CALLERS 16
#define MODULE "_asyncio."

enum { PYGEN_RETURN = 0, PYGEN_ERROR = -1, PYGEN_NEXT = 1 };

typedef int send(void *, void *, void **);

int PyIter_Send(void *iterator, void *argument, void **result);

/* Places that call, each once looked up: the address twice, plus one if it is the module's. */
static _Atomic uint64_t callers[CALLERS];

static uint64_t look_up(uintptr_t address)
{
	const char *name;
	Dl_info info;

	if (!dladdr((void *)address, &info) || !info.dli_fname)
		return address * 2;
	name = strrchr(info.dli_fname, '/');
	name = name ? name + 1 : info.dli_fname;
	return address * 2 + (strncmp(name, MODULE, strlen(MODULE)) == 0);
}

static bool is_module(uintptr_t address)
{
	_Atomic uint64_t *place = &callers[(address ^ address >> 4 ^ address >> 8) % CALLERS];
	uint64_t known = atomic_load_explicit(place, memory_order_relaxed);
	int saved = errno;

	if (known / 2 != address) {
		known = look_up(address);
		errno = saved;
		atomic_store_explicit(place, known, memory_order_relaxed);
	}
	return known & 1;
}

static __attribute__((noinline)) int run_step(send *real, void *task, void *argument, void **result)
{
	bool entered = false;
	int outcome;

	OBSERVE(entered = coroutine_enter(thread, task));
	outcome = real(task, argument, result);
	if (entered)
		OBSERVE(coroutine_leave(thread, task, outcome != PYGEN_NEXT));
	return outcome;
}

EXPORT int PyIter_Send(void *iterator, void *argument, void **result)
{
	void *caller = __builtin_return_address(0);
	send *real = (send *)tls_real(WHICH, "PyIter_Send", caller, NULL);

	if (!real) {
		*result = NULL;
		return PYGEN_ERROR;
	}
	if (thread_self.attribution.step || !live_any() || !is_module((uintptr_t)caller))
		return real(iterator, argument, result);
	return run_step(real, iterator, argument, result);
}
