/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signal_stack - a handler that works on an alternate stack, roomy as runtimes make theirs. Hazard: its
 * callers are on another stack, on the far side of a signal's frame.
 *
 * usage: signal_stack SECONDS
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "tables.h"

#define ALTERNATE (64 << 10)
#define ROUNDS 10

static double each;
static volatile sig_atomic_t calls;

static void on_alternate_stack(int signo)
{
	host_burn(each);
	calls++;
}

__attribute__((noinline, noclone)) static int interrupted(int levels)
{
	volatile int keeps_the_frame = levels;

	if (levels)
		return interrupted(levels - 1) + keeps_the_frame;
	for (int i = 0; i < ROUNDS; i++)
		raise(SIGUSR1);
	return 0;
}

static void *work(void *unused)
{
	stack_t alternate = {.ss_size = ALTERNATE};

	alternate.ss_sp = mmap(NULL, ALTERNATE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	HOST_CHECK(alternate.ss_sp != MAP_FAILED && sigaltstack(&alternate, NULL) == 0);
	printf("%d\n", interrupted(12));
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_alternate_stack, .sa_flags = SA_ONSTACK};
	pthread_t id;

	HOST_CHECK(argc == 2);
	tables_await(host_burn, NULL, NULL);
	each = atof(argv[1]) / (2 * ROUNDS);
	HOST_CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	work(NULL);
	HOST_CHECK(pthread_create(&id, NULL, work, NULL) == 0 && pthread_join(id, NULL) == 0);
	printf("handlers called %d times\n", (int)calls);
	host_say_cpu();
	return 0;
}
