/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/unloads.c and past.c: which object lay at an address when a sample was taken. Maps and unloads
 * are made up; the times are a host's, the numbers those of its dlcloses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/drain.h"
#include "agent/unloads.h"
#include "test/unit/region_fixture.h"

#define MS 1000000ULL
#define PLACE 0x10000000ULL
#define SIZE 0x4000ULL
#define TEXT (PLACE + 0x1000)
#define PC (TEXT + 0x123)
#define LIBC_PC 0x20000010ULL
#define MAP_OF(name)                                                                               \
	"10001000-10003000 r-xp 00001000 08:01 77 " name "\n"                                      \
	"20000000-20100000 r-xp 00000000 08:01 78 /lib/libc.so\n"

static struct fixture f;
static struct client *c;
static struct process *p;
static struct modules *modules;
static struct feed_process *slot;
static uint64_t now;
static uint32_t used;

static int setup(void **state)
{
	fixture_init(&f, 2);
	now = 1000000 * MS;
	used = 0;
	c = fixture_client(&f);
	modules = modules_new();
	slot = &f.region.processes[f.slot];
	if (!modules || client_update(c, now) != 1)
		return -1;
	p = c->processes[f.slot];
	/* What is mapped is what the tests say. */
	close(p->maps_fd);
	p->maps_fd = -1;
	return 0;
}

static int teardown(void **state)
{
	client_free(c);
	modules_free(modules);
	fixture_release(&f);
	return 0;
}

/* As if read when the process's epoch was that. */
static void map_is(const char *text, uint32_t epoch)
{
	if (!p->mapset) {
		p->mapset = calloc(1, sizeof(*p->mapset));
		assert_non_null(p->mapset);
		p->mapset->references = 1;
	}
	assert_int_equal(maps_parse(&p->mapset->maps, text, strlen(text)), 0);
	p->maps_epoch = epoch;
	p->maps_read_ns = now;
}

static struct feed_unload *tell(uint32_t begin, uint32_t end, uint64_t time_ns)
{
	struct feed_unload *u = &f.region.unloads[used++];

	*u = (struct feed_unload){.state = FEED_UNLOAD_FULL,
				  .session = f.session,
				  .slot = f.slot,
				  .begin = begin,
				  .end = end,
				  .looked = end,
				  .time_ns = time_ns,
				  .object = {.start = PLACE,
					     .end = PLACE + SIZE,
					     .text_start = TEXT,
					     .text_end = TEXT + 0x2000,
					     .text_offset = 0x1000}};
	atomic_store(&f.region.header->unloads_used, used);
	if (end > atomic_load(&slot->maps_epoch))
		atomic_store(&slot->maps_epoch, end);
	return u;
}

static void take(void)
{
	unloads_take(c, now);
	used = 0;
}

/* What a sample of that epoch and time names the address; NULL: nothing. */
static const char *named(uint32_t epoch, uint64_t time_ns, uint64_t pc)
{
	static char path[256];
	const struct maps_entry *e;
	struct past past;

	past_enter(&past, modules, p, epoch, time_ns);
	e = maps_find(client_maps(c, p, false, now), pc);
	if (e)
		snprintf(path, sizeof(path), "%s", e->path);
	past_leave(p);
	return e ? path : NULL;
}

static void assert_named(uint32_t epoch, uint64_t time_ns, const char *path)
{
	const char *got = named(epoch, time_ns, PC);

	if (path)
		assert_string_equal(got ? got : "nothing", path);
	else
		assert_null(got);
	/* What never went keeps its name, whatever happens elsewhere. */
	assert_string_equal(named(epoch, time_ns, LIBC_PC), "/lib/libc.so");
}

static void a_sample_is_of_the_object_that_was_there(void **state)
{
	map_is(MAP_OF("/lib/a.so"), 0);
	assert_named(0, 50, "/lib/a.so");
	tell(1, 2, 100);
	take();
	map_is(MAP_OF("/lib/b.so"), 2);
	assert_named(0, 50, "/lib/a.so");
	assert_named(2, 150, "/lib/b.so");
	tell(3, 4, 200);
	take();
	map_is(MAP_OF("/lib/c.so"), 4);
	assert_named(0, 50, "/lib/a.so");
	assert_named(2, 150, "/lib/b.so");
	assert_named(4, 250, "/lib/c.so");
}

static void while_it_is_closed_it_is_there_unless_another_came(void **state)
{
	map_is(MAP_OF("/lib/a.so"), 0);
	tell(1, 2, 100);
	take();
	map_is(MAP_OF("/lib/b.so"), 2);
	assert_named(1, 90, "/lib/a.so");
	assert_named(1, 110, "/lib/b.so");
}

static void nobody_knows_which_of_two_it_was_while_both_may_have_been_there(void **state)
{
	map_is(MAP_OF("/lib/a.so"), 0);
	tell(1, 2, 100)->reused = 1;
	take();
	map_is(MAP_OF("/lib/b.so"), 2);
	assert_named(0, 90, "/lib/a.so");
	assert_named(1, 90, NULL);
	assert_named(2, 110, "/lib/b.so");
}

static void nor_when_the_other_went_as_well_before_anybody_looked(void **state)
{
	map_is(MAP_OF("/lib/a.so"), 0);
	tell(1, 4, 200)->looked = 5;
	tell(2, 3, 150);
	take();
	map_is(MAP_OF("/lib/c.so"), 4);
	assert_named(0, 90, "/lib/a.so");
	assert_named(1, 140, NULL);
	assert_named(5, 210, "/lib/c.so");
}

static void a_map_from_before_says_nothing_of_what_came_to_lie_there(void **state)
{
	map_is(MAP_OF("/lib/a.so"), 0);
	tell(1, 2, 100);
	take();
	assert_named(0, 50, "/lib/a.so");
	assert_named(2, 150, NULL);
	/* And that stays so however long the map is not read. */
	now += 10 * UNLOADS_KEEP_NS;
	take();
	assert_named(2, 150, NULL);
	map_is(MAP_OF("/lib/b.so"), 2);
	take();
	assert_int_equal(p->unloads->count, 0);
	assert_named(2, 150, "/lib/b.so");
}

static void an_object_that_no_map_showed_and_no_file_proves_has_no_name(void **state)
{
	struct feed_unload *u = tell(1, 2, 100);

	strcpy(u->object.path, "/bin/true");
	memset(u->object.build_id, 7, 20);
	u->object.build_id_size = 20;
	strcpy(tell(3, 4, 200)->object.path, "/bin/true");
	take();
	map_is(MAP_OF("/lib/b.so"), 4);
	assert_named(0, 50, NULL);
	assert_named(2, 150, NULL);
	assert_named(4, 250, "/lib/b.so");
}

static unsigned nibble(char digit)
{
	return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static void an_object_that_no_map_showed_is_found_by_path_and_build_id(void **state)
{
	struct feed_unload *u = tell(1, 2, 100);
	char self[256] = {0};
	struct maps maps;
	const struct module *m;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	maps_init(&maps);
	assert_int_equal(maps_read_fd(&maps, fd), 0);
	close(fd);
	m = module_get(modules, maps_find(&maps, (uintptr_t)setup), getpid());
	maps_release(&maps);
	assert_int_equal(strlen(m->build_id), 40);
	for (size_t i = 0; i < 20; i++)
		u->object.build_id[i] = (uint8_t)(nibble(m->build_id[2 * i]) << 4 |
						  nibble(m->build_id[2 * i + 1]));
	u->object.build_id_size = 20;
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	strcpy(u->object.path, self);
	/* A copy that is gone is the same code as the one that is known. */
	u = tell(3, 4, 200);
	u->object = f.region.unloads[0].object;
	strcpy(u->object.path, "/nonexistent/copy.so");
	take();
	map_is(MAP_OF("/lib/b.so"), 4);
	assert_named(0, 50, self);
	assert_named(2, 150, self);
	assert_null(named(0, 50, PLACE)); /* not its code */
}

static void where_something_went_untold_older_samples_have_no_names(void **state)
{
	map_is(MAP_OF("/lib/b.so"), 4);
	atomic_store(&slot->maps_epoch, 4);
	atomic_store(&slot->lost_below, UINT64_MAX - PLACE);
	atomic_store(&slot->lost_high, PLACE + SIZE);
	atomic_store(&slot->lost, 3);
	take();
	assert_named(2, 50, NULL);
	assert_named(3, 50, "/lib/b.so");
	map_is(MAP_OF("/lib/b.so"), 2);
	assert_named(4, 50, NULL);
}

static void what_is_kept_is_bounded_and_what_is_dropped_is_remembered(void **state)
{
	map_is(MAP_OF("/lib/a.so"), 0);
	for (uint32_t i = 0; i <= UNLOADS_MAX + 8; i++) {
		tell(2 * i + 1, 2 * i + 2, 100 + i);
		take();
	}
	assert_int_equal(p->unloads->count, UNLOADS_MAX);
	assert_int_equal(p->unloads->lost, 2 * 8 + 2);
	assert_named(2 * 8, 50, NULL);
}

static void a_log_that_lies_is_emptied(void **state)
{
	atomic_store(&slot->maps_epoch, 2);
	tell(1, 2, 100)->session++;
	tell(1, 2, 100)->slot = UINT32_MAX;
	tell(1, 2, 100)->object.end = PLACE;
	tell(1, 2, 100)->object.build_id_size = 33;
	tell(1, 2, 100)->object.text_end = UINT64_MAX;
	tell(1, 2, 100)->object.text_offset = UINT64_MAX;
	memset(tell(1, 2, 100)->object.path, 'x', 256);
	atomic_store(&f.region.header->unloads_used, UINT32_MAX);
	unloads_take(c, now);
	for (uint32_t i = 0; i < used; i++)
		assert_int_equal(atomic_load(&f.region.unloads[i].state), FEED_UNLOAD_FREE);
	assert_int_equal(p->unloads->count, 1);
}

static unsigned samples;

static void take_sample(void *arg, const struct drained_sample *sample, struct ring_reader *reader)
{
	samples++;
}

static void take_stretch(void *arg, const struct feed_stretch *end, struct ring_reader *reader)
{
}

static void take_closed(void *arg, struct process *process, struct ring_reader *reader)
{
}

static unsigned drained(void)
{
	static const struct drain_sink sink = {NULL, take_sample, take_stretch, take_closed, NULL, NULL};

	samples = 0;
	drain_client(c, &sink, now += MS);
	return samples;
}

static void push(struct ring *ring, uint32_t epoch)
{
	struct feed_sample *s = ring_reserve(ring, sizeof(*s));

	assert_non_null(s);
	*s = (struct feed_sample){
	    .record = {sizeof(*s), FEED_SAMPLE, 0}, .weight = 1, .maps_epoch = epoch};
	ring_commit(ring);
}

static void a_sample_waits_until_a_dlclose_that_runs_has_told(void **state)
{
	struct ring ring;

	map_is(MAP_OF("/lib/a.so"), 0);
	fixture_ring(&f, &ring, 1);
	push(&ring, 0);
	push(&ring, 1);
	atomic_store(&slot->maps_epoch, 1);
	atomic_store(&slot->closing, 1);
	assert_int_equal(drained(), 1);
	assert_int_equal(drained(), 0);
	ring_release(&ring);
	assert_int_equal(drained(), 0);
	assert_int_equal(atomic_load(&f.region.rings[0].state), FEED_RING_RELEASED);
	atomic_store(&slot->maps_epoch, 2);
	atomic_store(&slot->closing, 0);
	assert_int_equal(drained(), 1);
	assert_int_equal(atomic_load(&f.region.rings[0].state), FEED_RING_FREE);
}

static void but_not_for_one_that_does_not_end_nor_for_a_future_one(void **state)
{
	struct ring ring;

	map_is(MAP_OF("/lib/a.so"), 0);
	fixture_ring(&f, &ring, 1);
	atomic_store(&slot->maps_epoch, 1);
	atomic_store(&slot->closing, 1);
	push(&ring, 2);
	assert_int_equal(drained(), 1);
	push(&ring, 1);
	assert_int_equal(drained(), 0);
	now += UNLOADS_PATIENCE_NS;
	assert_int_equal(drained(), 1);
	push(&ring, 1);
	assert_int_equal(drained(), 1);
	p->ended = true;
	push(&ring, 1);
	assert_int_equal(drained(), 1);
	p = NULL;
}

static void a_map_is_not_read_while_a_dlclose_runs(void **state)
{
	uint64_t generation;

	p->maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	generation = client_maps(c, p, true, now)->generation;
	assert_int_not_equal(generation, 0);
	atomic_store(&slot->closing, 1);
	atomic_store(&slot->maps_epoch, 1);
	assert_int_equal(client_maps(c, p, true, now += 1000 * MS)->generation, generation);
	assert_int_equal(p->maps_epoch, 0);
	atomic_store(&slot->closing, 0);
	atomic_store(&slot->maps_epoch, 2);
	assert_int_not_equal(client_maps(c, p, true, now += 1000 * MS)->generation, generation);
	assert_int_equal(p->maps_epoch, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_sample_is_of_the_object_that_was_there),
	    T(while_it_is_closed_it_is_there_unless_another_came),
	    T(nobody_knows_which_of_two_it_was_while_both_may_have_been_there),
	    T(nor_when_the_other_went_as_well_before_anybody_looked),
	    T(a_map_from_before_says_nothing_of_what_came_to_lie_there),
	    T(an_object_that_no_map_showed_and_no_file_proves_has_no_name),
	    T(an_object_that_no_map_showed_is_found_by_path_and_build_id),
	    T(where_something_went_untold_older_samples_have_no_names),
	    T(what_is_kept_is_bounded_and_what_is_dropped_is_remembered),
	    T(a_log_that_lies_is_emptied),
	    T(a_sample_waits_until_a_dlclose_that_runs_has_told),
	    T(but_not_for_one_that_does_not_end_nor_for_a_future_one),
	    T(a_map_is_not_read_while_a_dlclose_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
