/* SPDX-License-Identifier: Apache-2.0 */
/* shim/peek.c over pages that can be read, that cannot, and that are not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/peek.h"

#define PAGES 6

/* Pages 1 and 2 can be read, 3 cannot, 4 can, 0 and 5 are not there. */
static uintptr_t base;
static uint8_t room[1 << 14] __attribute__((aligned(8)));

static int setup(void **state)
{
	char *p = mmap(NULL, PAGES * PEEK_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		return -1;
	munmap(p, PEEK_PAGE);
	munmap(p + 5 * PEEK_PAGE, PEEK_PAGE);
	mprotect(p + PEEK_PAGE, PEEK_PAGE, PROT_READ);
	mprotect(p + 3 * PEEK_PAGE, PEEK_PAGE, PROT_NONE);
	base = (uintptr_t)p;
	return 0;
}

static int teardown(void **state)
{
	munmap((void *)(base + PEEK_PAGE), (PAGES - 2) * PEEK_PAGE);
	return 0;
}

static void pages_answer_for_themselves(void **state)
{
	assert_false(peek_readable(base));
	assert_true(peek_readable(base + PEEK_PAGE));
	assert_true(peek_readable(base + 2 * PEEK_PAGE));
	assert_false(peek_readable(base + 3 * PEEK_PAGE));
	assert_true(peek_readable(base + 4 * PEEK_PAGE));
	assert_false(peek_readable(base + 5 * PEEK_PAGE));
}

static void the_last_eight_bytes_of_a_mapping_are_its_last_word(void **state)
{
	uintptr_t end = base + 3 * PEEK_PAGE;

	assert_true(peek_readable(end - 8));
	for (uintptr_t i = 1; i < 8; i++)
		assert_false(peek_readable(end - i));
	assert_true(peek_readable(base + 2 * PEEK_PAGE - 4));
}

static void addresses_that_no_process_has_are_not_readable(void **state)
{
	assert_false(peek_readable(1));
	assert_false(peek_readable(UINTPTR_MAX));
	assert_false(peek_readable(UINTPTR_MAX - 7));
	assert_false(peek_readable(0xffff800000000000));
	assert_false(peek_readable(0x8000000000000000));
	assert_int_equal(peek_copy(room, UINTPTR_MAX - PEEK_PAGE + 1, 64), 0);
	assert_int_equal(peek_copy(room, UINTPTR_MAX - 7, 1 << 14), 0);
	assert_int_equal(peek_copy(room, 0, 64), 0);
}

static void a_copy_ends_where_reading_does(void **state)
{
	uintptr_t from = base + PEEK_PAGE;

	assert_int_equal(peek_copy(room, from, sizeof(room)), 2 * PEEK_PAGE);
	assert_int_equal(peek_copy(room, from + 1000, sizeof(room)), 2 * PEEK_PAGE - 1000);
	assert_int_equal(peek_copy(room, from + 2 * PEEK_PAGE - 8, sizeof(room)), 8);
	assert_int_equal(peek_copy(room, from + 1000, 104), 104);
	assert_int_equal(peek_copy(room, from, 2 * PEEK_PAGE), 2 * PEEK_PAGE);
	assert_int_equal(peek_copy(room, from, PEEK_PAGE + 8), PEEK_PAGE + 8);
	assert_int_equal(peek_copy(room, base, sizeof(room)), 0);
	assert_int_equal(peek_copy(room, base + 3 * PEEK_PAGE, sizeof(room)), 0);
	assert_int_equal(peek_copy(room, from, 0), 0);
}

static void a_copy_is_what_was_there(void **state)
{
	uint64_t *page = (uint64_t *)(base + 2 * PEEK_PAGE);

	for (size_t i = 0; i < PEEK_PAGE / 8; i++)
		page[i] = i * 0x0101010101010101;
	memset(room, 0xee, sizeof(room));
	assert_int_equal(peek_copy(room, base + 2 * PEEK_PAGE + 64, 128), 128);
	assert_memory_equal(room, page + 8, 128);
	assert_int_equal(room[128], 0xee);
}

/* [vvar] is mapped as devices are (VM_PFNMAP), and every process has it. */
static void a_device_is_not_read(void **state)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start = 0;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[vvar]"))
			start = strtoul(line, NULL, 16);
	fclose(maps);
	if (!start)
		skip();
	assert_int_equal(peek_copy(room, start, 64), 0);
}

/* Containers' sandboxes refuse it, as kernels do that are built without it. */
static void refuse(uint32_t error)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(2);
}

static void where_copying_is_refused_it_asks_and_reads(void **state)
{
	uint32_t errors[] = {EPERM, ENOSYS};
	uintptr_t from = base + PEEK_PAGE;
	int status;

	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			refuse(errors[i]);
			*(uint64_t *)(base + 2 * PEEK_PAGE) = 4711;
			_exit(peek_copy(room, from, sizeof(room)) == 2 * PEEK_PAGE &&
			      *(uint64_t *)(room + PEEK_PAGE) == 4711 &&
			      peek_copy(room, from + 2 * PEEK_PAGE - 8, 64) == 8 &&
			      peek_copy(room, base, 64) == 0 &&
			      peek_copy(room, base + 3 * PEEK_PAGE, 64) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void asking_changes_neither_errno_nor_the_signal_mask(void **state)
{
	sigset_t before, after;

	memset((void *)(base + 2 * PEEK_PAGE), 0xff, PEEK_PAGE);
	sigprocmask(SIG_SETMASK, NULL, &before);
	errno = ENOSPC;
	peek_readable(base + 2 * PEEK_PAGE);
	peek_readable(base);
	peek_copy(room, base, 64);
	assert_int_equal(errno, ENOSPC);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int s = 1; s < NSIG; s++)
		assert_int_equal(sigismember(&after, s), sigismember(&before, s));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(pages_answer_for_themselves),
	    TEST(the_last_eight_bytes_of_a_mapping_are_its_last_word),
	    TEST(addresses_that_no_process_has_are_not_readable),
	    TEST(a_copy_ends_where_reading_does),
	    TEST(a_copy_is_what_was_there),
	    TEST(a_device_is_not_read),
	    TEST(where_copying_is_refused_it_asks_and_reads),
	    TEST(asking_changes_neither_errno_nor_the_signal_mask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
