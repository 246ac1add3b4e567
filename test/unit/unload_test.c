/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/unload.c and object.c: what a dlclose unloads is told, with everything by which it can be named
 * later, and nothing else is. The libraries are small ones of the C library's that nobody has loaded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <link.h>

#include "shim/self.h"
#include "shim/unload.h"
#include "test/unit/region_fixture.h"

#define FIRST "libutil.so.1"
#define SECOND "libanl.so.1"

static struct fixture f;
static struct self page;
static struct feed_process *slot;

static int setup(void **state)
{
	fixture_init(&f, 1);
	page = (struct self){.state = SELF_READY, .pid = getpid(), .slot = f.slot, .key = f.session};
	self_page = &page;
	slot = &f.region.processes[f.slot];
	atomic_store(&region_current, &f.region);
	unload_init();
	return 0;
}

static int teardown(void **state)
{
	atomic_store(&region_current, NULL);
	self_page = NULL;
	fixture_release(&f);
	return 0;
}

static void *load(const char *name)
{
	void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	assert_non_null(library);
	return library;
}

static void close_told(void *library)
{
	struct unload u;

	unload_begin(&u);
	assert_int_equal(atomic_load(&slot->closing), 1);
	assert_int_equal(dlclose(library), 0);
	unload_end(&u);
	assert_int_equal(atomic_load(&slot->closing), 0);
}

static unsigned told(void)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < f.region.unload_count; i++)
		n += atomic_load(&f.region.unloads[i].state) == FEED_UNLOAD_FULL;
	return n;
}

static void an_object_that_goes_is_told_with_place_path_and_build_id(void **state)
{
	void *library = load(FIRST);
	struct link_map *map = library;
	uint64_t base = map->l_addr;
	char path[256];
	const struct feed_unload *u = &f.region.unloads[0];

	strcpy(path, map->l_name);
	close_told(library);
	assert_int_equal(told(), 1);
	assert_int_equal(u->session, f.session);
	assert_int_equal(u->slot, f.slot);
	assert_int_equal(u->begin, 1);
	assert_int_equal(u->end, 2);
	assert_int_equal(u->looked, 2);
	assert_int_equal(u->reused, 0);
	assert_true(u->time_ns > 0);
	assert_string_equal(u->object.path, path);
	assert_int_equal(u->object.start, base);
	assert_true(u->object.text_start > base && u->object.text_start < u->object.text_end &&
		    u->object.text_end <= u->object.end);
	assert_int_equal(u->object.build_id_size, 20);
	assert_int_equal(atomic_load(&f.region.header->unloads_used), 1);
}

static void an_object_that_stays_is_not_told_but_counted(void **state)
{
	void *library = load(FIRST);

	assert_ptr_equal(load(FIRST), library);
	close_told(library);
	assert_int_equal(told(), 0);
	assert_int_equal(atomic_load(&slot->maps_epoch), 2);
	close_told(library);
	assert_int_equal(told(), 1);
	assert_int_equal(atomic_load(&slot->maps_epoch), 4);
}

static void of_two_dlcloses_at_once_each_tells_what_went(void **state)
{
	void *first = load(FIRST), *second = load(SECOND);
	struct unload a, b;

	unload_begin(&a);
	unload_begin(&b);
	assert_int_equal(dlclose(first), 0);
	assert_int_equal(dlclose(second), 0);
	unload_end(&b);
	assert_int_equal(atomic_load(&slot->closing), 1);
	assert_int_equal(told(), 2);
	unload_end(&a);
	assert_int_equal(atomic_load(&slot->closing), 0);
	/* Each by both: the agent knows them by their place and numbers. */
	assert_int_equal(told(), 4);
	assert_int_equal(atomic_load(&slot->lost), 0);
}

static void what_lies_in_its_place_when_it_is_looked_is_told(void **state)
{
	void *first = load(FIRST), *again;
	uint64_t base = ((struct link_map *)first)->l_addr;
	struct unload u;

	unload_begin(&u);
	assert_int_equal(dlclose(first), 0);
	again = load(SECOND);
	unload_end(&u);
	assert_int_equal(told(), 1);
	assert_int_equal(f.region.unloads[0].object.start, base);
	/* The kernel gives the same hole, as the two are of one size. */
	assert_int_equal(f.region.unloads[0].reused, ((struct link_map *)again)->l_addr == base);
	close_told(again);
}

static void a_full_log_says_where_something_was(void **state)
{
	void *library = load(FIRST);
	uint64_t base = ((struct link_map *)library)->l_addr;

	for (uint32_t i = 0; i < f.region.unload_count; i++)
		atomic_store(&f.region.unloads[i].state, FEED_UNLOAD_FULL);
	close_told(library);
	assert_int_equal(atomic_load(&slot->lost), 2);
	assert_int_equal(UINT64_MAX - atomic_load(&slot->lost_below), base);
	assert_true(atomic_load(&slot->lost_high) > base);
	assert_int_equal(atomic_load(&f.region.header->counters[FEED_COUNTER_unload_lost]), 1);
}

static void more_dlcloses_at_once_than_can_be_watched_lose_all_and_say_so(void **state)
{
	struct unload all[12];

	for (size_t i = 0; i < 12; i++)
		unload_begin(&all[i]);
	for (size_t i = 0; i < 12; i++)
		unload_end(&all[i]);
	assert_int_equal(atomic_load(&slot->closing), 0);
	assert_true(atomic_load(&slot->lost) > 12);
	assert_int_equal(atomic_load(&slot->lost_high), UINT64_MAX);
	assert_int_equal(atomic_load(&f.region.header->counters[FEED_COUNTER_unload_lost]), 4);
	/* All are free again. */
	close_told(load(FIRST));
	assert_int_equal(told(), 1);
}

static void a_fork_in_a_destructor_leaves_the_childs_numbers_alone(void **state)
{
	void *library = load(FIRST);
	struct unload u;

	unload_begin(&u);
	assert_int_equal(dlclose(library), 0);
	page.key++;
	unload_end(&u);
	assert_int_equal(atomic_load(&slot->maps_epoch), 1);
	assert_int_equal(told(), 0);
}

static void without_a_region_nothing_happens(void **state)
{
	void *library = load(FIRST);
	struct unload u;

	atomic_store(&page.state, SELF_IDLE);
	unload_begin(&u);
	assert_int_equal(dlclose(library), 0);
	atomic_store(&page.state, SELF_READY);
	unload_end(&u);
	assert_int_equal(atomic_load(&slot->maps_epoch), 0);
	assert_int_equal(atomic_load(&slot->closing), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(an_object_that_goes_is_told_with_place_path_and_build_id),
	    T(an_object_that_stays_is_not_told_but_counted),
	    T(of_two_dlcloses_at_once_each_tells_what_went),
	    T(what_lies_in_its_place_when_it_is_looked_is_told),
	    T(a_full_log_says_where_something_was),
	    T(more_dlcloses_at_once_than_can_be_watched_lose_all_and_say_so),
	    T(a_fork_in_a_destructor_leaves_the_childs_numbers_alone),
	    T(without_a_region_nothing_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
