/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_real.c - finds and remembers, by place of call, what a wrapper of a TLS library stands before.
 * APP. The dynamic linker's lock is taken at the first call from a place, never later.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/real.h"
#include "shim/tls_real.h"

#define PLACES 1024
#define WAYS 8
#define CLAIMED UINT64_MAX /* no key: addresses are too small */

/* Written once, key last; an entry of an older epoch is written anew. Where more than WAYS places collide, some
 * look up each time. */
static struct place {
	_Atomic uint64_t key; /* of address, name and epoch; 0: none */
	void *_Atomic real;
} places[PLACES];
static _Atomic uint32_t epoch;

static uint64_t key_of(unsigned which, void *address)
{
	uint64_t key = ((uint64_t)(uintptr_t)address << 16) ^
		       ((uint64_t)atomic_load_explicit(&epoch, memory_order_acquire) << 5) ^ which;

	return key ? key : 1;
}

/* Set by the linker: where this object begins, and where its code ends. */
extern const char __ehdr_start __attribute__((visibility("hidden")));
extern const char etext __attribute__((visibility("hidden")));

static bool is_own(const void *address)
{
	return (const char *)address >= &__ehdr_start && (const char *)address < &etext;
}

static void *from_caller(const char *name, void *address)
{
	struct link_map *map = NULL;
	void *handle, *found = NULL;
	Dl_info info;

	if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) || !map || !map->l_name ||
	    !*map->l_name)
		return NULL;
	/* The object's own scope: itself and what it needs, so not us. */
	handle = dlopen(map->l_name, RTLD_NOLOAD | RTLD_LAZY);
	if (!handle)
		return NULL;
	found = dlsym(handle, name);
	REAL(dlclose)(handle);
	return found;
}

static void *look_up(const char *name, void *address)
{
	void *found = from_caller(name, address);

	if (!found || is_own(found))
		found = dlsym(RTLD_NEXT, name);
	/* One that only we define is no real one. */
	return found && !is_own(found) ? found : NULL;
}

/* The entry with that key; or one to write it to, a free one if there is. */
static struct place *place_of(uint64_t key)
{
	struct place *last = NULL;

	for (unsigned way = 0; way < WAYS; way++) {
		uint64_t has;

		last = &places[((key >> 5 ^ key >> 19 ^ key) + way) % PLACES];
		has = atomic_load_explicit(&last->key, memory_order_acquire);
		if (has == key || !has)
			break;
	}
	return last;
}

/* Unless another thread writes there now. */
static void remember(struct place *p, uint64_t key, void *real)
{
	uint64_t had = atomic_load_explicit(&p->key, memory_order_relaxed);

	if (had == CLAIMED || !atomic_compare_exchange_strong_explicit(
				  &p->key, &had, CLAIMED, memory_order_acq_rel, memory_order_relaxed))
		return;
	atomic_store_explicit(&p->real, real, memory_order_release);
	atomic_store_explicit(&p->key, key, memory_order_release);
}

void *tls_real(unsigned which, const char *name, void *caller, void *library)
{
	void *address = library && is_own(caller) ? library : caller;
	uint64_t key = key_of(which, address);
	struct place *p = place_of(key);
	int saved = errno;
	void *real;

	if (atomic_load_explicit(&p->key, memory_order_acquire) == key) {
		real = atomic_load_explicit(&p->real, memory_order_relaxed);
		if (atomic_load_explicit(&p->key, memory_order_acquire) == key)
			return real;
	}
	real = look_up(name, address);
	errno = saved;
	if (real)
		remember(p, key, real);
	return real;
}

void tls_real_forget(void)
{
	atomic_fetch_add_explicit(&epoch, 1, memory_order_release);
}
