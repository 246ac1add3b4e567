/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profiler as others are built: ITIMER_PROF, and a SIGPROF handler that walks the stack by libunwind.
 * Preloaded in tests, to show that the hosts which ours must survive are hosts that end such a one.
 */
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static void on_tick(int signo)
{
	unw_context_t context;
	unw_cursor_t cursor;
	void *frames[64];
	int n = 0;

	if (getenv("PEER_BACKTRACE")) {
		unw_backtrace(frames, 64);
		return;
	}
	unw_getcontext(&context);
	unw_init_local(&cursor, &context);
	while (n++ < 64 && unw_step(&cursor) > 0)
		;
}

__attribute__((constructor)) static void start(void)
{
	struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
	struct itimerval tick = {{0, 4000}, {0, 4000}};

	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &tick, NULL);
}
