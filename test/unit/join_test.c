/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/join.c: two agents and one name, and strangers that come to it. Descriptors that a message
 * brings are either handed on or closed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/join.h"
#include "shim/feed.h"

static char name[64];
static int listener = -1;

static unsigned open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int setup(void **state)
{
	snprintf(name, sizeof(name), "spanprof-test-%d", (int)getpid());
	listener = join_listen(name);
	return listener < 0;
}

static int teardown(void **state)
{
	close(listener);
	return 0;
}

static int connected(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path + 1, name);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
	    0);
	return fd;
}

static const struct feed_join good = {.magic = FEED_MAGIC, .version = FEED_VERSION, .pid = 4711};

/* As a host does, with so many descriptors, all of them a memfd. */
static void send_on(int fd, const void *bytes, size_t n, unsigned descriptors)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)bytes, n};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	int memfd = memfd_create("test", MFD_CLOEXEC);

	if (descriptors) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(descriptors * sizeof(int));
		for (unsigned i = 0; i < descriptors; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &memfd, sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), n);
	close(memfd);
}

static void send_alone(const void *bytes, size_t n, unsigned descriptors)
{
	int fd = connected();

	send_on(fd, bytes, n, descriptors);
	close(fd);
}

static void close_joined(const struct joined *j)
{
	close(j->memfd);
	if (j->pidfd >= 0)
		close(j->pidfd);
	if (j->maps >= 0)
		close(j->maps);
}

static void of_two_agents_one_gets_the_name(void **state)
{
	int third;

	assert_int_equal(join_listen(name), -EADDRINUSE);
	close(listener);
	third = join_listen(name);
	assert_true(third >= 0);
	listener = third;
	assert_true(fcntl(listener, F_GETFD) & FD_CLOEXEC);
}

static void names_that_do_not_fit_are_refused(void **state)
{
	char longest[JOIN_NAME_MAX + 2];
	int fd;

	assert_int_equal(join_listen(""), -EINVAL);
	memset(longest, 'n', sizeof(longest));
	longest[JOIN_NAME_MAX + 1] = 0;
	assert_int_equal(join_listen(longest), -EINVAL);
	snprintf(longest + JOIN_NAME_MAX - 10, 11, "%010d", (int)getpid());
	fd = join_listen(longest);
	assert_true(fd >= 0);
	close(fd);
}

static ino_t inode_of(int fd)
{
	char link[64], text[64] = "";
	long unsigned inode = 0;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	assert_true(readlink(link, text, sizeof(text) - 1) > 0);
	sscanf(text, "pipe:[%lu]", &inode);
	return inode;
}

/* With all three descriptors, and with those that may be missing. */
static void a_process_is_handed_over_with_what_is_known_of_it(void **state)
{
	int pipes[3][2];

	for (int i = 0; i < 3; i++)
		assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
	for (int missing = 0; missing < 4; missing++) {
		struct joined mine = {.memfd = pipes[0][0],
				      .pidfd = missing & 1 ? -1 : pipes[1][0],
				      .maps = missing & 2 ? -1 : pipes[2][0],
				      .pid = 4711};
		struct joined theirs;

		assert_int_equal(join_hand_over(name, &mine), 0);
		assert_true(join_accept(listener, &theirs));
		assert_int_equal(theirs.pid, 4711);
		assert_int_equal(inode_of(theirs.memfd), inode_of(mine.memfd));
		assert_true(fcntl(theirs.memfd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(theirs.pidfd < 0, mine.pidfd < 0);
		if (mine.pidfd >= 0)
			assert_int_equal(inode_of(theirs.pidfd), inode_of(mine.pidfd));
		/* Without a pidfd it need not keep the map; but never one in the other's place. */
		if (mine.maps < 0)
			assert_int_equal(theirs.maps, -1);
		if (theirs.maps >= 0)
			assert_int_equal(inode_of(theirs.maps), inode_of(mine.maps));
		close_joined(&theirs);
	}
	for (int i = 0; i < 6; i++)
		close(pipes[i / 2][i % 2]);
}

static void handing_over_to_nobody_fails(void **state)
{
	struct joined mine = {.memfd = 0, .pidfd = -1, .maps = -1, .pid = 1};
	unsigned before = open_descriptors();

	assert_int_equal(join_hand_over("spanprof-test-nobody-is-here", &mine), -ECONNREFUSED);
	assert_true(join_hand_over("", &mine) < 0);
	assert_int_equal(open_descriptors(), before);
}

static void nobody_waiting_is_no_wait(void **state)
{
	struct joined j;

	assert_false(join_accept(listener, &j));
}

static void strangers_are_turned_away_and_leave_nothing_open(void **state)
{
	struct feed_join wrong[4] = {good, good, good, good};
	char longer[2 * sizeof(good)] = "";
	struct joined j;
	unsigned before = open_descriptors();

	wrong[0].magic ^= 1;
	wrong[1].version++;
	wrong[2].pid = 0;
	wrong[3].pid = -5;
	for (unsigned fds = 0; fds < 6; fds++) {
		for (int i = 0; i < 4; i++)
			send_alone(&wrong[i], sizeof(wrong[i]), fds);
		send_alone(&good, sizeof(good) - 1, fds);
		send_alone(&good, 1, fds);
		send_alone(longer, sizeof(longer), fds);
		close(connected());
		assert_false(join_accept(listener, &j));
		assert_int_equal(open_descriptors(), before);
	}
}

static void a_message_without_the_region_is_turned_away(void **state)
{
	struct joined j;

	send_alone(&good, sizeof(good), 0);
	assert_false(join_accept(listener, &j));
}

static void more_descriptors_than_there_are_uses_for_are_closed(void **state)
{
	unsigned before = open_descriptors();
	struct joined j;

	for (unsigned fds = 1; fds <= 16; fds++) {
		send_alone(&good, sizeof(good), fds);
		assert_true(join_accept(listener, &j));
		assert_int_equal(j.pid, 4711);
		assert_int_equal(open_descriptors(), before + (fds < 3 ? fds : 3));
		assert_int_equal(j.pidfd >= 0, fds >= 2);
		assert_int_equal(j.maps >= 0, fds >= 3);
		close_joined(&j);
		assert_int_equal(open_descriptors(), before);
	}
}

static void behind_strangers_a_good_one_is_still_found(void **state)
{
	struct joined j;

	close(connected());
	send_alone("x", 1, 2);
	send_alone(&good, sizeof(good), 3);
	send_alone("y", 1, 0);
	assert_true(join_accept(listener, &j));
	close_joined(&j);
	assert_false(join_accept(listener, &j));
}

static void *send_late(void *arg)
{
	usleep(20000);
	send_on(*(int *)arg, &good, sizeof(good), 3);
	return NULL;
}

/* Between the sender's two system calls the agent may already be looking. */
static void a_message_that_comes_after_its_connection_is_not_lost(void **state)
{
	pthread_t thread;
	struct joined j;
	int fd = connected();

	assert_int_equal(pthread_create(&thread, NULL, send_late, &fd), 0);
	assert_true(join_accept(listener, &j));
	pthread_join(thread, NULL);
	close_joined(&j);
	close(fd);
}

/* Later than the agent waits: then the sender must learn that nobody took it. */
static void a_message_that_comes_too_late_fails_at_its_sender(void **state)
{
	struct joined j;
	int fd = connected();

	assert_false(join_accept(listener, &j));
	assert_int_equal(send(fd, &good, sizeof(good), MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	close(fd);
}

static void many_that_say_nothing_do_not_hold_the_agent_for_long(void **state)
{
	struct timespec from, to;
	struct joined j;
	int fds[20];

	for (int i = 0; i < 20; i++)
		fds[i] = connected();
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_false(join_accept(listener, &j));
	clock_gettime(CLOCK_MONOTONIC, &to);
	/* Hosts take an agent for dead that does not move for ten seconds. */
	assert_true(to.tv_sec - from.tv_sec <= 1);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
}

static void another_users_process_is_turned_away(void **state)
{
	struct joined j;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0) {
		if (setuid(65534) != 0)
			_exit(2);
		send_alone(&good, sizeof(good), 3);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(join_accept(listener, &j));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(of_two_agents_one_gets_the_name),
	    TEST(names_that_do_not_fit_are_refused),
	    TEST(a_process_is_handed_over_with_what_is_known_of_it),
	    TEST(handing_over_to_nobody_fails),
	    TEST(nobody_waiting_is_no_wait),
	    TEST(strangers_are_turned_away_and_leave_nothing_open),
	    TEST(a_message_without_the_region_is_turned_away),
	    TEST(more_descriptors_than_there_are_uses_for_are_closed),
	    TEST(behind_strangers_a_good_one_is_still_found),
	    TEST(a_message_that_comes_after_its_connection_is_not_lost),
	    TEST(a_message_that_comes_too_late_fails_at_its_sender),
	    TEST(many_that_say_nothing_do_not_hold_the_agent_for_long),
	    TEST(another_users_process_is_turned_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
