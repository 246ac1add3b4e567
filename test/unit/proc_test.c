/* SPDX-License-Identifier: Apache-2.0 */
/* agent/proc.c about this process and its children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/proc.h"

static uint64_t boottime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
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

static void a_pidfd_says_whose_it_is_until_the_process_is_reaped(void **state)
{
	pid_t pid = child_that_waits();
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	assert_true(fd >= 0);
	assert_int_equal(proc_pid_of(fd), pid);
	end(pid);
	assert_int_equal(proc_pid_of(fd), -1);
	close(fd);
	assert_int_equal(proc_pid_of(fd), -1);
}

static void other_descriptors_are_nobodys(void **state)
{
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(proc_pid_of(pipes[0]), -1);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(proc_pid_of(-1), -1);
}

static void a_process_is_older_than_now_and_younger_than_the_boot(void **state)
{
	pid_t pid = child_that_waits();
	uint64_t now = boottime_ns();

	assert_true(proc_started_before(pid, now));
	assert_true(proc_started_before(pid, UINT64_MAX - 1000000000U));
	/* A tick of the kernel's clock, 10 ms, is as exact as it gets. */
	assert_false(proc_started_before(pid, now - 1000000000U));
	assert_false(proc_started_before(pid, 0));
	end(pid);
}

static void a_process_that_is_unknown_is_not_called_a_stranger(void **state)
{
	assert_true(proc_started_before(0x3fffffff, 0));
}

static void a_name_with_parentheses_and_spaces_misleads_nobody(void **state)
{
	char name[16] = "";
	uint64_t now = boottime_ns();

	prctl(PR_GET_NAME, name);
	for (int i = 0; i < 3; i++) {
		prctl(PR_SET_NAME, (const char *[]){") R 1 1 (", "a) b) 9 9", "\n)) ) )"}[i]);
		assert_true(proc_started_before(getpid(), now));
		assert_false(proc_started_before(getpid(), 1));
	}
	prctl(PR_SET_NAME, name);
}

static void maps_are_gone_after_the_end_and_after_an_exec(void **state)
{
	pid_t pid = child_that_waits();
	int fd = proc_open_maps(pid);

	assert_true(fd >= 0);
	assert_false(proc_maps_gone(fd));
	end(pid);
	assert_true(proc_maps_gone(fd));
	close(fd);
	assert_int_equal(proc_open_maps(0x3fffffff), -1);
	pid = vfork();
	if (pid == 0) {
		execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	fd = proc_open_maps(pid);
	assert_false(proc_maps_gone(fd));
	end(pid);
	assert_true(proc_maps_gone(fd));
	close(fd);
	fd = proc_open_maps(getpid());
	assert_false(proc_maps_gone(fd));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pidfd_says_whose_it_is_until_the_process_is_reaped),
	    cmocka_unit_test(other_descriptors_are_nobodys),
	    cmocka_unit_test(a_process_is_older_than_now_and_younger_than_the_boot),
	    cmocka_unit_test(a_process_that_is_unknown_is_not_called_a_stranger),
	    cmocka_unit_test(a_name_with_parentheses_and_spaces_misleads_nobody),
	    cmocka_unit_test(maps_are_gone_after_the_end_and_after_an_exec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
