/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/client.c: regions that lie are refused or harmless, and processes are seen to come, end,
 * exec and be somebody else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "test/unit/region_fixture.h"

#define NSEC_PER_SEC 1000000000ULL

static struct fixture f;
static uint64_t now; /* the agent's clock: whatever a test says */

static int setup(void **state)
{
	fixture_init(&f, 4);
	now = 1000 * NSEC_PER_SEC;
	return 0;
}

static int teardown(void **state)
{
	fixture_release(&f);
	return 0;
}

static unsigned open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* A copy of the region's file with other seals and size; closed by whoever takes it. */
static int copy_of(size_t size, int seals)
{
	int fd = memfd_create("spanprof-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, f.region.header, sizeof(struct feed_header)),
			 sizeof(struct feed_header));
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void assert_refused(int memfd)
{
	unsigned before = open_descriptors() - 1;
	const char *why = NULL;

	assert_null(client_new(memfd, fixture_pidfd(getpid()), dup(0), getpid(), &why));
	assert_non_null(why);
	assert_int_equal(open_descriptors(), before);
}

static void a_region_that_could_shrink_or_is_no_region_is_refused(void **state)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_refused(copy_of(f.region.size, F_SEAL_GROW));
	assert_refused(copy_of(sizeof(struct feed_header) - 1, FIXTURE_SEALS));
	assert_refused(copy_of(0, FIXTURE_SEALS));
	assert_refused(copy_of(f.region.size - 4096, FIXTURE_SEALS));
	assert_refused(copy_of(f.region.size + 4096, FIXTURE_SEALS));
	assert_refused(copy_of(f.region.size, FIXTURE_SEALS | F_SEAL_WRITE));
	assert_refused(file);
	assert_refused(open("/dev/null", O_RDWR | O_CLOEXEC));
}

#define FIELD(name) offsetof(struct feed_header, name), sizeof(((struct feed_header *)0)->name)

static const struct {
	size_t offset, size;
	bool geometry; /* any value but its own could put a part outside */
} fields[] = {
    {FIELD(magic), true},	  {FIELD(version), true},
    {FIELD(size), true},	  {FIELD(processes_offset), true},
    {FIELD(process_count), true}, {FIELD(rings_offset), true},
    {FIELD(ring_count), true},	  {FIELD(maps_offset), true},
    {FIELD(maps_size), true},	  {FIELD(ring_size), true},
    {FIELD(data_offset), true},	  {FIELD(tables_offset), true},
    {FIELD(tables_size), true},	  {FIELD(maps_length), false},
    {FIELD(exec_error), false},	  {FIELD(up), false},
    {FIELD(heartbeat), false},	  {FIELD(bye), false},
    {FIELD(sessions), false},	  {FIELD(ring_hint), false},
};

static const uint64_t lies[] = {0,
				1,
				7,
				8,
				63,
				64,
				1 << 14,
				1 << 16,
				(1 << 16) + 8,
				1 << 22,
				1 << 23,
				INT32_MAX,
				0x80000000,
				UINT32_MAX - 7,
				UINT32_MAX,
				UINT64_MAX - 7,
				UINT64_MAX,
				1ULL << 63};

static bool within(const struct client *c, const void *part, uint64_t size)
{
	uint64_t at = (uint64_t)((const uint8_t *)part - (const uint8_t *)c->header);

	return at >= sizeof(struct feed_header) && at <= c->size && size <= c->size - at;
}

/* Whatever is believed, every part of it is inside of what is mapped. */
static void assert_parts_are_inside(const struct client *c)
{
	assert_true(within(c, c->slots, sizeof(struct feed_process) * FEED_PROCESSES));
	assert_true(within(c, c->controls, sizeof(struct feed_ring) * (uint64_t)c->ring_count));
	assert_true(within(c, c->data, (uint64_t)c->ring_count * c->ring_size));
	assert_true(within(c, (uint8_t *)c->header + c->maps_offset, c->maps_size));
	assert_true(within(c, c->tables, c->tables_size));
	assert_int_equal((uintptr_t)c->controls % 64, 0);
	assert_int_equal((uintptr_t)c->slots % 8, 0);
	assert_int_equal(c->ring_size & (c->ring_size - 1), 0);
}

static void whatever_a_header_says_parts_are_inside_or_it_is_refused(void **state)
{
	unsigned before = open_descriptors(), refused = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint8_t *field = (uint8_t *)f.region.header + fields[i].offset, saved[8];

		memcpy(saved, field, fields[i].size);
		for (size_t k = 0; k < sizeof(lies) / sizeof(lies[0]); k++) {
			const char *why;
			struct client *c;

			memcpy(field, &lies[k], fields[i].size);
			c = client_new(dup(f.memfd), -1, -1, getpid(), &why);
			assert_true(c || fields[i].geometry);
			refused += !c;
			if (c) {
				assert_parts_are_inside(c);
				client_update(c, now);
				client_free(c);
			}
		}
		memcpy(field, saved, fields[i].size);
	}
	assert_true(refused > 100);
	assert_int_equal(open_descriptors(), before);
}

static void texts_without_an_end_get_one_and_wild_numbers_a_default(void **state)
{
	struct feed_config *config = &f.region.header->config;
	struct client *c;

	memset(config, 'x', sizeof(*config));
	c = fixture_client(&f);
	assert_int_equal(strlen(c->config.service), sizeof(config->service) - 1);
	assert_int_equal(strlen(c->config.labels), sizeof(config->labels) - 1);
	assert_int_equal(strlen(c->config.server), sizeof(config->server) - 1);
	assert_int_equal(strlen(c->config.output_dir), sizeof(config->output_dir) - 1);
	assert_int_equal(strlen(c->config.log_file), sizeof(config->log_file) - 1);
	assert_int_equal(c->config.period_ns, 10000000);
	assert_int_equal(c->config.upload_interval_ms, 15000);
	assert_int_equal(c->config.frames_max, 128);
	assert_int_equal(c->config.max_spans, 5000);
	assert_int_equal(c->config.span_names, FEED_NAMES_OFF);
	client_free(c);
}

static pid_t child_that_waits(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static uint32_t claim(pid_t pid)
{
	uint32_t slot, session;

	assert_true(region_claim_process(&f.region, pid, UINT32_MAX, &slot, &session));
	return slot;
}

static void processes_are_seen_to_come_and_to_end(void **state)
{
	struct client *c = fixture_client(&f);
	pid_t pid;
	uint32_t slot;

	assert_int_equal(client_update(c, now), 1);
	pid = child_that_waits();
	slot = claim(pid);
	assert_int_equal(client_update(c, now), 2);
	assert_int_equal(c->process_count, 2);
	assert_ptr_equal(client_process(c, slot, f.region.processes[slot].session),
			 c->processes[slot]);
	assert_null(client_process(c, slot, f.session));
	assert_null(client_process(c, FEED_PROCESSES, f.session));
	end(pid);
	assert_int_equal(client_update(c, now), 1);
	assert_true(c->processes[slot]->ended);
	client_forget(c, slot, now);
	assert_int_equal(f.region.processes[slot].state, FEED_PROCESS_FREE);
	assert_int_equal(client_update(c, now), 1);
	assert_int_equal(c->process_count, 1);
	client_free(c);
}

static void a_number_that_is_no_process_or_a_strangers_has_ended_at_once(void **state)
{
	struct client *c = fixture_client(&f);
	pid_t gone = child_that_waits(), stranger = child_that_waits();
	uint32_t a, b;

	end(gone);
	a = claim(gone);
	b = claim(stranger);
	/* The slot was claimed long before this process was started. */
	f.region.processes[b].boottime_ns = NSEC_PER_SEC;
	assert_int_equal(client_update(c, now), 1);
	assert_true(c->processes[a]->ended);
	assert_true(c->processes[b]->ended);
	assert_int_equal(c->processes[b]->maps_fd, -1);
	end(stranger);
	client_free(c);
}

static void slots_that_make_no_sense_are_not_adopted(void **state)
{
	struct client *c = fixture_client(&f);
	struct feed_process *p = f.region.processes;

	atomic_store(&f.region.header->sessions, 100);
	for (int i = 1; i <= 5; i++)
		p[i] = (struct feed_process){.state = FEED_PROCESS_LIVE, .session = 9, .pid = 1};
	p[1].session = 0;
	p[2].pid = 0;
	p[3].pid = -1;
	p[4].state = FEED_PROCESS_CLAIMING;
	p[5].state = 17;
	p[6] = (struct feed_process){.state = FEED_PROCESS_LIVE,
				     .session = 9,
				     .pid = INT32_MAX,
				     .parent = UINT32_MAX,
				     .boottime_ns = UINT64_MAX};
	assert_int_equal(client_update(c, now), 1);
	for (int i = 1; i <= 5; i++)
		assert_null(c->processes[i]);
	assert_true(c->processes[6]->ended);
	client_free(c);
}

static void an_exec_ends_a_process_here(void **state)
{
	struct client *c = fixture_client(&f);
	int pipes[2];
	char byte;
	pid_t pid;
	uint32_t slot;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	close(pipes[1]);
	waitpid(pid, NULL, WUNTRACED);
	slot = claim(pid);
	assert_int_equal(client_update(c, now), 2);
	kill(pid, SIGCONT);
	/* The exec closes the pipe's other end. */
	assert_int_equal(read(pipes[0], &byte, 1), 0);
	now += 2 * NSEC_PER_SEC;
	assert_int_equal(client_update(c, now), 1);
	assert_true(c->processes[slot]->ended);
	close(pipes[0]);
	end(pid);
	client_free(c);
}

/* A server that goes into the background: the process that attached forks, ends and is reaped. */
static void children_of_a_process_that_is_gone_already_are_watched(void **state)
{
	pid_t parent = child_that_waits(), child = child_that_waits();
	int pidfd = fixture_pidfd(parent);
	const char *why;
	struct client *c;
	uint32_t first, second;

	atomic_store(&f.region.processes[f.slot].state, FEED_PROCESS_FREE);
	first = claim(parent);
	second = claim(child);
	end(parent);
	c = client_new(dup(f.memfd), pidfd, -1, parent, &why);
	assert_non_null(c);
	assert_int_equal(client_update(c, now), 1);
	assert_true(c->processes[first]->ended);
	assert_true(c->processes[second]->pidfd >= 0);
	assert_true(c->processes[second]->maps_fd >= 0);
	/* However long it is silent. */
	now += 1000 * NSEC_PER_SEC;
	assert_int_equal(client_update(c, now), 1);
	end(child);
	assert_int_equal(client_update(c, now), 0);
	client_free(c);
}

static void a_process_that_cannot_be_watched_is_gone_when_it_is_silent(void **state)
{
	const char *why;
	/* Its number is not what the pidfd says: another pid namespace. */
	struct client *c =
	    client_new(dup(f.memfd), fixture_pidfd(getpid()), -1, getpid() + 1, &why);

	assert_non_null(c);
	assert_true(c->foreign_pids);
	assert_int_equal(client_update(c, now), 1);
	assert_int_equal(c->processes[f.slot]->pidfd, -1);
	now += 59 * NSEC_PER_SEC;
	assert_int_equal(client_update(c, now), 1);
	now += 2 * NSEC_PER_SEC;
	assert_int_equal(client_update(c, now), 0);
	client_free(c);
}

static void an_agent_leaves_only_when_no_slot_is_taken_that_it_does_not_know(void **state)
{
	struct client *c = fixture_client(&f);

	client_enter(c, 4711);
	assert_int_equal(f.region.header->up, 4711);
	assert_false(client_leave(c));
	assert_int_equal(f.region.header->up, 4711);
	atomic_store(&f.region.processes[f.slot].state, FEED_PROCESS_FREE);
	atomic_store(&f.region.header->sessions, 10);
	f.region.processes[9].state = FEED_PROCESS_CLAIMING;
	assert_false(client_leave(c));
	f.region.processes[9].state = FEED_PROCESS_FREE;
	assert_true(client_leave(c));
	assert_int_equal(f.region.header->up, FEED_GONE);
	client_free(c);
}

static void a_process_map_holds_its_code_and_is_read_again_only_so_often(void **state)
{
	struct client *c = fixture_client(&f);
	const struct maps *maps;
	uint64_t generation;

	client_update(c, now);
	maps = client_maps(c, c->processes[f.slot], false, now);
	assert_non_null(maps_find(maps, (uintptr_t)setup));
	assert_true(maps_find(maps, (uintptr_t)setup)->exec);
	generation = maps->generation;
	assert_int_equal(client_maps(c, c->processes[f.slot], true, now + 1)->generation,
			 generation);
	assert_int_not_equal(
	    client_maps(c, c->processes[f.slot], true, now + NSEC_PER_SEC)->generation, generation);
	client_free(c);
}

static void the_copy_in_the_region_serves_when_the_process_shows_nothing(void **state)
{
	static const char text[] = "400000-401000 r-xp 00000000 08:01 77 /bin/shop\n";
	static const uint32_t wrong[] = {0, (1 << 16) + 1, UINT32_MAX};
	const char *why;
	struct client *c = client_new(dup(f.memfd), fixture_pidfd(getpid()), -1, getpid(), &why);
	const struct maps *maps;

	client_update(c, now);
	strcpy((char *)f.region.header + f.region.maps_offset, text);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		atomic_store(&f.region.header->maps_length, wrong[i]);
		maps = client_maps(c, c->processes[f.slot], true, now += NSEC_PER_SEC);
		assert_int_equal(maps->count, 0);
	}
	atomic_store(&f.region.header->maps_length, sizeof(text) - 1);
	maps = client_maps(c, c->processes[f.slot], true, now += NSEC_PER_SEC);
	assert_int_equal(maps->count, 1);
	assert_string_equal(maps->entries[0].path, "/bin/shop");
	client_free(c);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_region_that_could_shrink_or_is_no_region_is_refused),
	    TEST(whatever_a_header_says_parts_are_inside_or_it_is_refused),
	    TEST(texts_without_an_end_get_one_and_wild_numbers_a_default),
	    TEST(processes_are_seen_to_come_and_to_end),
	    TEST(a_number_that_is_no_process_or_a_strangers_has_ended_at_once),
	    TEST(slots_that_make_no_sense_are_not_adopted),
	    TEST(an_exec_ends_a_process_here),
	    TEST(children_of_a_process_that_is_gone_already_are_watched),
	    TEST(a_process_that_cannot_be_watched_is_gone_when_it_is_silent),
	    TEST(an_agent_leaves_only_when_no_slot_is_taken_that_it_does_not_know),
	    TEST(a_process_map_holds_its_code_and_is_read_again_only_so_often),
	    TEST(the_copy_in_the_region_serves_when_the_process_shows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
