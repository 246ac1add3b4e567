/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coroutines - two contexts of makecontext() that burn in turns, each below a recursion, on stacks
 * between guard pages. Hazard: the stack pointer is in no stack that a thread ever had. "gone": other
 * threads map and unmap what lies right above those stacks, all the time.
 *
 * usage: coroutines plain|gone SECONDS
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tables.h"

#define PAGE 4096
#define STACK (16 * PAGE)
#define LEVELS 30
#define TURNS 20

static ucontext_t main_context, contexts[2];
static char *stacks[2];
static int turns[2];
static double each;
static atomic_int stop;

__attribute__((noinline, noclone)) static int descend(int who, int levels)
{
	volatile int keeps_the_frame = levels;

	if (levels)
		return descend(who, levels - 1) + keeps_the_frame;
	for (int i = 0; i < TURNS; i++) {
		host_burn(each);
		turns[who]++;
		HOST_CHECK(swapcontext(&contexts[who], &contexts[!who]) == 0);
	}
	return 0;
}

static void coroutine_entry(int who)
{
	turns[who] -= descend(who, LEVELS) - LEVELS * (LEVELS + 1) / 2;
}

/* The page above a stack comes and goes: what is there is nobody's frame. */
static void *neighbour(void *unused)
{
	while (!stop) {
		for (int i = 0; i < 2; i++) {
			char *above = stacks[i] + STACK;

			HOST_CHECK(mmap(above, PAGE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == above);
			*above = 1;
			HOST_CHECK(munmap(above, PAGE) == 0);
		}
	}
	return NULL;
}

static void make(int who)
{
	/* A page below and one above that are never to be read. */
	char *all = mmap(NULL, STACK + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	HOST_CHECK(all != MAP_FAILED);
	stacks[who] = all + PAGE;
	HOST_CHECK(mprotect(stacks[who], STACK, PROT_READ | PROT_WRITE) == 0);
	HOST_CHECK(getcontext(&contexts[who]) == 0);
	contexts[who].uc_stack.ss_sp = stacks[who];
	contexts[who].uc_stack.ss_size = STACK;
	contexts[who].uc_link = &main_context;
	makecontext(&contexts[who], (void (*)(void))coroutine_entry, 1, who);
}

int main(int argc, char **argv)
{
	pthread_t id;

	HOST_CHECK(argc == 3);
	tables_await(host_burn, NULL, NULL);
	each = atof(argv[2]) / (2 * TURNS);
	make(0);
	make(1);
	if (strcmp(argv[1], "gone") == 0)
		HOST_CHECK(pthread_create(&id, NULL, neighbour, NULL) == 0);
	else
		stop = 1;
	/* The first that ends comes back here; the other one is in its last turn then. */
	HOST_CHECK(swapcontext(&main_context, &contexts[0]) == 0);
	printf("turns %d %d\n", turns[0], turns[1]);
	if (!stop) {
		stop = 1;
		pthread_join(id, NULL);
	}
	host_say_cpu();
	return 0;
}
