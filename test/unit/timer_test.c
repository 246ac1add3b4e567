/* SPDX-License-Identifier: Apache-2.0 */
/* shim/timer.c with the kernel's own timers: what arrives, for whom, how often, and whose it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/timer.h"

#define PERIOD_NS 10000000ULL
#define NSEC_PER_SEC 1000000000ULL

static _Atomic uint64_t weight, signals, foreign;
static _Atomic int last_tid;
static struct timer_phase phase; /* of the timer that was armed last */

static void on_tick(int signo, siginfo_t *info, void *ucontext)
{
	if (!timer_is_ours(info)) {
		foreign++;
		return;
	}
	signals++;
	weight += 1 + (uint64_t)info->si_overrun;
	last_tid = gettid();
}

static int setup(void **state)
{
	struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};

	weight = signals = foreign = 0;
	timer_configure(PERIOD_NS, SIGPROF);
	return sigaction(SIGPROF, &action, NULL) || sigaction(SIGRTMIN + 3, &action, NULL);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Uses so much CPU time; returns how much it was. */
static uint64_t burn(uint64_t ns)
{
	uint64_t from = cpu_ns(), now;

	while ((now = cpu_ns()) - from < ns)
		;
	return now - from;
}

static int armed(void)
{
	int id = timer_arm(gettid(), &phase);

	assert_true(id >= 0);
	return id;
}

/* A period of slack for the phase, another for the tick of the kernel's clock. */
static void assert_stands_for(uint64_t ns)
{
	uint64_t expected = ns / PERIOD_NS;

	assert_in_range(weight, expected - 2, expected + 2);
}

static void weights_add_up_to_the_cpu_time_used(void **state)
{
	int id = armed();
	uint64_t used = burn(20 * PERIOD_NS);

	timer_disarm(id);
	assert_stands_for(used);
	assert_int_equal(foreign, 0);
}

static void ticks_that_could_not_be_delivered_are_in_the_next_ones_weight(void **state)
{
	sigset_t set;
	uint64_t used;
	int id;

	sigemptyset(&set);
	sigaddset(&set, SIGPROF);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	id = armed();
	used = burn(10 * PERIOD_NS);
	assert_int_equal(signals, 0);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	/* Some sanitizers deliver at their own convenience. */
	for (int i = 0; i < 1000 && !signals; i++)
		usleep(1000);
	timer_disarm(id);
	assert_int_equal(signals, 1);
	assert_stands_for(used);
}

static void how_often_it_must_have_fired_is_known_without_it(void **state)
{
	struct timer_phase none = {0};
	uint64_t due;
	int id = armed();

	assert_true(phase.first_ns > 0 && phase.first_ns <= PERIOD_NS);
	assert_true(timer_due(gettid(), &phase) <= 1);
	burn(10 * PERIOD_NS);
	timer_disarm(id);
	due = timer_due(gettid(), &phase);
	assert_in_range(due, 10, 12);
	assert_true(due >= weight && due <= weight + 2);
	assert_int_equal(timer_due(gettid(), &none), 0);
}

static void sleeping_costs_no_ticks(void **state)
{
	int id = armed();

	usleep(100000);
	timer_disarm(id);
	assert_true(weight <= 1);
}

static void after_disarming_nothing_comes(void **state)
{
	int id = armed();

	burn(2 * PERIOD_NS);
	timer_disarm(id);
	weight = 0;
	burn(3 * PERIOD_NS);
	assert_int_equal(weight, 0);
}

static void *burn_in_thread(void *arg)
{
	int id = timer_arm(gettid(), &(struct timer_phase){0});

	*(int *)arg = gettid();
	burn(5 * PERIOD_NS);
	timer_disarm(id);
	return NULL;
}

static void the_signal_comes_to_the_thread_whose_time_it_is(void **state)
{
	pthread_t thread;
	int tid;

	assert_int_equal(pthread_create(&thread, NULL, burn_in_thread, &tid), 0);
	pthread_join(thread, NULL);
	assert_true(weight >= 3);
	assert_int_equal(last_tid, tid);
}

static void the_first_expiry_is_anywhere_in_the_period(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;

	timer_configure(NSEC_PER_SEC, SIGPROF);
	for (int i = 0; i < 200; i++) {
		struct itimerspec left;
		uint64_t ns;
		int id = armed();

		assert_int_equal(syscall(SYS_timer_gettime, id, &left), 0);
		timer_disarm(id);
		ns =
		    (uint64_t)left.it_value.tv_sec * NSEC_PER_SEC + (uint64_t)left.it_value.tv_nsec;
		assert_true(ns > 0 && ns <= NSEC_PER_SEC);
		assert_int_equal(left.it_interval.tv_sec, 1);
		assert_int_equal(left.it_interval.tv_nsec, 0);
		least = ns < least ? ns : least;
		most = ns > most ? ns : most;
	}
	/* Of 200 even ones, all on one side of these has a chance of one in 10^9. */
	assert_true(least < NSEC_PER_SEC / 10);
	assert_true(most > NSEC_PER_SEC / 10 * 9);
}

/* One at a time: pending ones of the same number would be one. */
static void await_foreign(uint64_t n)
{
	for (int i = 0; i < 1000 && foreign < n; i++)
		usleep(1000);
	assert_int_equal(foreign, n);
}

static void the_cookie_tells_ours_from_all_others(void **state)
{
	struct sigevent event = {.sigev_signo = SIGPROF, .sigev_notify = SIGEV_SIGNAL};
	struct itimerspec soon = {.it_value = {0, 1}};
	union sigval value = {.sival_ptr = &value};
	timer_t timer;

	kill(getpid(), SIGPROF);
	await_foreign(1);
	sigqueue(getpid(), SIGPROF, value);
	await_foreign(2);
	event.sigev_value = value;
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	timer_settime(timer, 0, &soon, NULL);
	await_foreign(3);
	timer_delete(timer);
	assert_int_equal(signals, 0);
}

static void another_signal_can_be_used_from_now_on(void **state)
{
	int id;

	timer_use_signal(SIGRTMIN + 3);
	assert_int_equal(timer_signal(), SIGRTMIN + 3);
	signal(SIGPROF, SIG_DFL);
	id = armed();
	burn(5 * PERIOD_NS);
	timer_disarm(id);
	assert_true(weight >= 3);
	assert_int_equal(timer_period_ns(), PERIOD_NS);
}

static void a_thread_that_is_not_there_gets_none(void **state)
{
	assert_true(timer_arm(0x3fffffff, &(struct timer_phase){0}) < 0);
}

static void a_user_without_signals_left_gets_none_and_is_told(void **state)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_SIGPENDING, &none);
		_exit(timer_arm(gettid(), &(struct timer_phase){0}) == -EAGAIN ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_forked_child_has_none_of_ours(void **state)
{
	int id = armed(), status;
	pid_t pid = fork();

	if (pid == 0) {
		weight = 0;
		burn(5 * PERIOD_NS);
		_exit(weight != 0);
	}
	timer_disarm(id);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
	    TEST(weights_add_up_to_the_cpu_time_used),
	    TEST(ticks_that_could_not_be_delivered_are_in_the_next_ones_weight),
	    TEST(how_often_it_must_have_fired_is_known_without_it),
	    TEST(sleeping_costs_no_ticks),
	    TEST(after_disarming_nothing_comes),
	    TEST(the_signal_comes_to_the_thread_whose_time_it_is),
	    TEST(the_first_expiry_is_anywhere_in_the_period),
	    TEST(the_cookie_tells_ours_from_all_others),
	    TEST(another_signal_can_be_used_from_now_on),
	    TEST(a_thread_that_is_not_there_gets_none),
	    TEST(a_user_without_signals_left_gets_none_and_is_told),
	    TEST(a_forked_child_has_none_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
