/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign.c - passes on what is not ours: a SIGPROF that somebody sends to a host without a handler
 * ends it, as it would bare, and a host's own handler never sees a late tick of a timer of ours.
 * HANDLER.
 */
#include <ucontext.h>

#include "shim/foreign.h"
#include "shim/raw.h"
#include "shim/thread.h"
#include "shim/timer.h"
#include "shim/sigsafe.h"

_Atomic(void *) foreign_handlers[FOREIGN_SIGNALS];

/* The kernel's struct sigaction, enough of it for SIG_DFL, which needs no restorer. */
struct foreign_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask;
};

void foreign_signal(int signo, siginfo_t *info, void *ucontext)
{
	struct foreign_action standard = {0};
	ucontext_t *uc = ucontext;

	/* Bare, it would stay pending, for whoever of the process's threads takes it: block it for real
	 * once this handler returns, and send it on. */
	if (signo == SIGPROF && thread_self.blocks_sigprof) {
		((uint64_t *)&uc->uc_sigmask)[0] |= 1ULL << (SIGPROF - 1);
		raw2(SYS_kill, raw0(SYS_getpid), signo);
		return;
	}
	raw4(SYS_rt_sigaction, signo, &standard, NULL, sizeof(standard.mask));
	/* Pending until this handler returns; then it does what it would have done. */
	raw3(SYS_tgkill, raw0(SYS_getpid), raw0(SYS_gettid), signo);
}

void foreign_guard(int signo, siginfo_t *info, void *ucontext)
{
	void *handler = atomic_load_explicit(&foreign_handlers[signo], memory_order_acquire);

	if (timer_is_ours(info) || !handler)
		return;
	((void (*)(int, siginfo_t *, void *))handler)(signo, info, ucontext);
}
