/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_python.c - CPython's switch between asyncio's tasks: its _asyncio module (3.10 and later) runs each
 * step of a task by PyIter_Send with the task's outermost coroutine, which ends in that task or with it.
 * Seen where that function is in a shared libpython; one in the executable itself comes before ours in
 * the search order. The interpreter calls it too, for coroutines and generators inside others: those are
 * part of the step, or of no task.
 *
 * A task goes on when what it awaits is done; then the module asks the loop to call it soon: until 3.11 it
 * looks the method up by _PyObject_GetAttrId, which it hardly asks for anything else, from 3.12 on it calls
 * it by PyObject_VectorcallMethod, of all its methods the only one with a keyword. Both pass through here as
 * they are. Objects are addresses, never looked into, and no reference is taken. APP, with the interpreter's lock.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "shim/attribute.h"
#include "shim/coroutine.h"
#include "shim/live.h"
#include "shim/observe.h"
#include "shim/tls_real.h"

enum which { SEND = TLS_REAL_PYTHON, GET_ATTRIBUTE, CALL_METHOD, WHICH_END };
_Static_assert(WHICH_END <= TLS_REAL_NAMES, "the names have room");

#define CALLERS 64
#define MODULE "_asyncio."

enum { PYGEN_RETURN = 0, PYGEN_ERROR = -1, PYGEN_NEXT = 1 };

typedef int send(void *, void *, void **);
typedef void *get_attribute(void *, void *);
typedef void *call_method(void *, void *const *, size_t, void *);

int PyIter_Send(void *iterator, void *argument, void **result);
void *_PyObject_GetAttrId(void *object, void *id);
void *PyObject_VectorcallMethod(void *name, void *const *arguments, size_t count, void *keywords);

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
	send *real = (send *)tls_real(SEND, "PyIter_Send", caller, NULL);

	if (!real) {
		*result = NULL;
		return PYGEN_ERROR;
	}
	if (thread_self.attribution.step || !live_any() || !is_module((uintptr_t)caller))
		return real(iterator, argument, result);
	return run_step(real, iterator, argument, result);
}

/* Only what follows a client's read and is no task's own counts. */
static void note_scheduled(uintptr_t caller)
{
	if (thread_self.attribution.heard && is_module(caller))
		OBSERVE(attribute_scheduled(thread));
}

EXPORT void *_PyObject_GetAttrId(void *object, void *id)
{
	void *caller = __builtin_return_address(0);
	get_attribute *real = (get_attribute *)tls_real(GET_ATTRIBUTE, "_PyObject_GetAttrId", caller, NULL);

	note_scheduled((uintptr_t)caller);
	return real ? real(object, id) : NULL;
}

EXPORT void *PyObject_VectorcallMethod(void *name, void *const *arguments, size_t count, void *keywords)
{
	void *caller = __builtin_return_address(0);
	call_method *real = (call_method *)tls_real(CALL_METHOD, "PyObject_VectorcallMethod", caller, NULL);

	if (keywords)
		note_scheduled((uintptr_t)caller);
	return real ? real(name, arguments, count, keywords) : NULL;
}
