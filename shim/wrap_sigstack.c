/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_sigstack.c - alternate stacks. APP. A tick on top of a handler takes a signal's frame (3 KiB with
 * AVX-512) and a kilobyte more; where that does not fit, the kernel kills. So our signal is in the mask
 * of handlers that run on an alternate stack, unless every such stack that the host has shown is roomy.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#include "shim/observe.h"
#include "shim/real.h"
#include "shim/wrap_signal.h"
#include "shim/wrap_sigstack.h"

/* Far more than handlers use: those that do much have made room for much. */
#define SIGSTACK_ROOMY 32768U

static _Atomic uint32_t small_seen;
/* Signals whose handlers may be interrupted by a tick. */
static _Atomic uint64_t unmasked;

bool sigstack_roomy(int signo)
{
	uint64_t bit = 1ULL << (signo - 1);
	stack_t now;

	atomic_fetch_and(&unmasked, ~bit);
	/* One from before we were told of them. */
	if (REAL(sigaltstack)(NULL, &now) != 0 ||
	    (!(now.ss_flags & SS_DISABLE) && now.ss_size < SIGSTACK_ROOMY))
		return false;
	atomic_fetch_or(&unmasked, bit);
	/* Whoever saw a small one since has read the bit, or is seen here. */
	if (!atomic_load(&small_seen))
		return true;
	atomic_fetch_and(&unmasked, ~bit);
	return false;
}

static void mask_again(int signo, int mine)
{
	struct sigaction action;

	if (REAL(sigaction)(signo, NULL, &action) != 0 || !(action.sa_flags & SA_ONSTACK) ||
	    action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)
		return;
	sigaddset(&action.sa_mask, mine);
	REAL(sigaction)(signo, &action, NULL);
}

EXPORT int sigaltstack(const stack_t *restrict stack, stack_t *restrict old)
{
	int mine = signal_ours();
	uint64_t which;

	if (mine && stack && !(stack->ss_flags & SS_DISABLE) && stack->ss_size < SIGSTACK_ROOMY &&
	    !atomic_exchange(&small_seen, 1)) {
		which = atomic_exchange(&unmasked, 0);
		for (int signo = 1; signo <= 64; signo++)
			if (which >> (signo - 1) & 1)
				mask_again(signo, mine);
	}
	return REAL(sigaltstack)(stack, old);
}
