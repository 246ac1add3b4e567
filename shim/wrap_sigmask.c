/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_sigmask.c - the masks that a host sets and asks for. APP. The host never sees our signal in one,
 * and cannot block the signal that ours is.
 *
 * Compiled for the general registers alone: where a function of a split stack needs another segment,
 * libgcc blocks all signals with that function's arguments still in the vector registers, trusting that
 * the C library's version leaves them alone.
 */
#include <signal.h>

#include "shim/observe.h"
#include "shim/real.h"
#include "shim/shim.h"
#include "shim/thread.h"
#include "shim/wrap_signal.h"

/* Whether set names few signals, ours among them: who blocks all means no one in particular, but who
 * blocks this one has plans for it (sigwait, sigpending, signalfd). */
static bool singles_out(const sigset_t *set)
{
	int members = 0;

	for (int s = 1; s < SIGRTMIN; s++)
		members += sigismember(set, s) == 1;
	return members < SIGRTMIN / 2;
}

/* The set without our signal, if the call would block it. */
static const sigset_t *without_ours(int how, const sigset_t *set, sigset_t *copy)
{
	int mine = signal_ours();

	if (!set || !mine || how == SIG_UNBLOCK || sigismember(set, mine) != 1)
		return set;
	if (mine == SIGPROF && singles_out(set)) {
		signal_yield();
		return set;
	}
	/* Only SIGPROF has a meaning to the host; a real-time signal that is ours nobody sends. */
	*copy = *set;
	sigdelset(copy, mine);
	return copy;
}

/* What the host believes of SIGPROF in this thread, now that it has set its mask, and had before. */
static void remember_mask(int how, const sigset_t *set, const sigset_t *given, sigset_t *old)
{
	bool was = thread_self.blocks_sigprof, in_set = set && sigismember(set, SIGPROF) == 1;

	if (old && was)
		sigaddset(old, SIGPROF);
	if (!set)
		return;
	if (how == SIG_SETMASK)
		thread_self.blocks_sigprof = in_set && given != set;
	else if (how == SIG_BLOCK)
		thread_self.blocks_sigprof = was || (in_set && given != set);
	else if (in_set)
		thread_self.blocks_sigprof = 0;
}

EXPORT int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
	sigset_t copy;
	const sigset_t *given = without_ours(how, set, &copy);
	int error = REAL(pthread_sigmask)(how, given, old);

	if (!error && shim_active())
		remember_mask(how, set, given, old);
	return error;
}

EXPORT int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
	sigset_t copy;
	const sigset_t *given = without_ours(how, set, &copy);
	int result = REAL(sigprocmask)(how, given, old);

	if (result == 0 && shim_active())
		remember_mask(how, set, given, old);
	return result;
}
