/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/oracle.c: what it makes of two walks of one stack. The addresses are the test's own, so that
 * objects and rows are real; the stacks are not.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent/oracle.h"

extern char _start[];

#define ROOT ((uint64_t)(uintptr_t)_start + 16)
#define OUTER ((uint64_t)(uintptr_t)setup + 16)
#define INNER ((uint64_t)(uintptr_t)release + 16)
#define OTHER ((uint64_t)(uintptr_t)verdict_of + 16)

static struct modules *modules;
static struct tables *tables;
static struct maps maps;
static struct oracle *oracle;
static uint64_t made; /* an address in code made at run time */

static int release(void **state)
{
	oracle_free(oracle);
	oracle = NULL;
	return 0;
}

static int setup(void **state)
{
	oracle = oracle_new(modules, tables);
	return oracle ? 0 : -1;
}

static int setup_all(void **state)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	made = (uint64_t)(uintptr_t)code + 64;
	maps_init(&maps);
	maps_read_fd(&maps, fd);
	close(fd);
	modules = modules_new();
	tables = tables_new();
	return 0;
}

static int release_all(void **state)
{
	tables_free(tables);
	modules_free(modules);
	maps_release(&maps);
	return 0;
}

static struct unwind_result ended(enum unwind_end end)
{
	return (struct unwind_result){.exact = {1}, .end = end, .truncated = end >= UNWIND_END_LIMIT};
}

/* Judges two stacks, given up to a 0. The handler's is truncated when end is LIMIT. */
static enum oracle_verdict verdict_of(const uint64_t *mine, enum unwind_end my_end,
				      const uint64_t *theirs, enum unwind_end their_end)
{
	struct oracle_place place = {&maps, getpid()};
	struct unwind_result a = ended(my_end), b = ended(their_end);
	struct oracle_walk handler = {mine, 0, &a}, libunwind = {theirs, 0, &b};
	struct oracle_figures before = *oracle_figures(oracle);

	while (mine[handler.count])
		handler.count++;
	while (theirs[libunwind.count])
		libunwind.count++;
	oracle_compare(oracle, &place, &handler, &libunwind);
	for (int i = 0; i < ORACLE_VERDICTS; i++)
		if (oracle_figures(oracle)->verdicts[i] != before.verdicts[i])
			return (enum oracle_verdict)i;
	return ORACLE_VERDICTS;
}

#define PCS(...) ((const uint64_t[]){__VA_ARGS__, 0})

static void equal_stacks_agree(void **state)
{
	assert_int_equal(verdict_of(PCS(INNER, OUTER, ROOT), UNWIND_END_ROOT, PCS(INNER, OUTER, ROOT),
				    UNWIND_END_ROOT), ORACLE_AGREE);
	assert_int_equal(oracle_figures(oracle)->ends[UNWIND_END_ROOT], 1);
}

static void a_frame_more_or_less_or_another_one_does_not(void **state)
{
	assert_int_equal(verdict_of(PCS(INNER, OUTER, ROOT), UNWIND_END_ROOT, PCS(INNER, OTHER, ROOT),
				    UNWIND_END_ROOT), ORACLE_DISAGREE);
	assert_int_equal(verdict_of(PCS(INNER, OUTER, ROOT), UNWIND_END_ROOT, PCS(INNER, ROOT),
				    UNWIND_END_ROOT), ORACLE_DISAGREE);
	assert_int_equal(verdict_of(PCS(INNER, ROOT), UNWIND_END_ROOT, PCS(INNER, OUTER, ROOT),
				    UNWIND_END_ROOT), ORACLE_DISAGREE);
}

static void a_root_that_no_description_gives_is_none(void **state)
{
	assert_int_equal(verdict_of(PCS(INNER, OUTER), UNWIND_END_ROOT, PCS(INNER, OUTER),
				    UNWIND_END_ROOT), ORACLE_DISAGREE);
	assert_int_equal(oracle_figures(oracle)->ends[UNWIND_END_ROOT], 0);
	assert_int_equal(oracle_figures(oracle)->ends[UNWIND_END_ZERO], 1);
}

static void what_libunwind_cannot_finish_is_told_apart(void **state)
{
	assert_int_equal(verdict_of(PCS(INNER, OUTER, ROOT), UNWIND_END_ROOT, PCS(INNER, OUTER),
				    UNWIND_END_SLICE), ORACLE_SLICE);
	assert_int_equal(verdict_of(PCS(INNER, OUTER, ROOT), UNWIND_END_ROOT, PCS(INNER, OUTER),
				    UNWIND_END_LOST), ORACLE_STOPPED);
	/* But not when it had another opinion before. */
	assert_int_equal(verdict_of(PCS(INNER, OUTER, ROOT), UNWIND_END_ROOT, PCS(INNER, OTHER),
				    UNWIND_END_SLICE), ORACLE_DISAGREE);
}

static void a_stack_that_was_cut_is_compared_as_far_as_it_goes(void **state)
{
	assert_int_equal(verdict_of(PCS(INNER, OUTER), UNWIND_END_LIMIT, PCS(INNER, OUTER, ROOT),
				    UNWIND_END_ROOT), ORACLE_AGREE);
	assert_int_equal(oracle_figures(oracle)->ends[UNWIND_END_LIMIT], 1);
}

static void one_caller_more_is_right_only_where_no_description_could_say_so(void **state)
{
	assert_int_equal(verdict_of(PCS(made, INNER, OUTER, ROOT), UNWIND_END_ROOT,
				    PCS(made, OUTER, ROOT), UNWIND_END_ROOT), ORACLE_FRAMELESS);
	assert_int_equal(verdict_of(PCS(made, INNER, INNER, OUTER, ROOT), UNWIND_END_ROOT,
				    PCS(made, INNER, OUTER, ROOT), UNWIND_END_ROOT), ORACLE_FRAMELESS);
	assert_int_equal(verdict_of(PCS(made, INNER, OUTER, ROOT), UNWIND_END_ROOT, PCS(made, ROOT),
				    UNWIND_END_ROOT), ORACLE_DISAGREE);
	assert_int_equal(verdict_of(PCS(OTHER, INNER, ROOT), UNWIND_END_ROOT, PCS(OTHER),
				    UNWIND_END_NO_CODE), ORACLE_FRAMELESS);
	assert_int_equal(verdict_of(PCS(OTHER, INNER), UNWIND_END_ROOT, PCS(OTHER),
				    UNWIND_END_NO_CODE), ORACLE_STOPPED);
	assert_int_equal(verdict_of(PCS(OTHER, INNER, OUTER, ROOT), UNWIND_END_ROOT,
				    PCS(OTHER, OUTER, ROOT), UNWIND_END_ROOT), ORACLE_DISAGREE);
}

static void the_agents_own_walks_are_counted_apart(void **state)
{
	struct oracle_place place = {&maps, getpid()};
	struct unwind_result lost = ended(UNWIND_END_LOST);

	oracle_alone(oracle, &place, &(struct oracle_walk){PCS(INNER, OUTER), 2, &lost});
	assert_int_equal(oracle_figures(oracle)->alone, 1);
	assert_int_equal(oracle_figures(oracle)->early, 1);
	assert_int_equal(oracle_figures(oracle)->ends[UNWIND_END_LOST], 1);
	oracle_say(oracle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(equal_stacks_agree, setup, release),
		cmocka_unit_test_setup_teardown(a_frame_more_or_less_or_another_one_does_not, setup, release),
		cmocka_unit_test_setup_teardown(a_root_that_no_description_gives_is_none, setup, release),
		cmocka_unit_test_setup_teardown(what_libunwind_cannot_finish_is_told_apart, setup, release),
		cmocka_unit_test_setup_teardown(a_stack_that_was_cut_is_compared_as_far_as_it_goes, setup,
						release),
		cmocka_unit_test_setup_teardown(
			one_caller_more_is_right_only_where_no_description_could_say_so, setup, release),
		cmocka_unit_test_setup_teardown(the_agents_own_walks_are_counted_apart, setup, release),
	};

	return cmocka_run_group_tests(tests, setup_all, release_all);
}
