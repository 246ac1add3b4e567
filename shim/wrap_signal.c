/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_signal.c - lives with a host that uses signals too. APP. Ours is SIGPROF until the host claims
 * it (a handler, SIG_IGN, a wait for it, ITIMER_PROF); then all timers move to a real-time signal that
 * nobody has a handler for, and SIGPROF is the host's as it would be bare. The host never sees our
 * handler. Masks are wrap_sigmask.c's.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/time.h>

#include "shim/foreign.h"
#include "shim/attach.h"
#include "shim/observe.h"
#include "shim/process.h"
#include "shim/raw.h"
#include "shim/real.h"
#include "shim/sample.h"
#include "shim/shim.h"
#include "shim/timer.h"
#include "shim/wrap_signal.h"
#include "shim/wrap_sigstack.h"

static bool install(int signo)
{
	struct sigaction action = {.sa_sigaction = sample_handler,
				   .sa_flags = SA_SIGINFO | SA_RESTART};

	/* All but the synchronous ones, and SIGSYS, whose trap attaching must survive. */
	sigfillset(&action.sa_mask);
	for (const int *s = (const int[]){SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, 0}; *s; s++)
		sigdelset(&action.sa_mask, *s);
	return REAL(sigaction)(signo, &action, NULL) == 0;
}

static bool unused(int signo)
{
	struct sigaction action;

	return REAL(sigaction)(signo, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

/* From the middle of the range: hosts count from its ends. 0: none. */
static int find_unused(void)
{
	int middle = (SIGRTMIN + SIGRTMAX) / 2;

	for (int i = 0; i < (SIGRTMAX - SIGRTMIN) / 2; i++) {
		if (unused(middle + i))
			return middle + i;
		if (unused(middle - i))
			return middle - i;
	}
	return 0;
}

bool signal_take(void)
{
	struct sigaction action;
	int signo = SIGPROF;

	if (REAL(sigaction)(SIGPROF, NULL, &action) != 0)
		return false;
	/* A parent's SIG_IGN is left in place: the program's own children inherit it, too. */
	if (action.sa_handler != SIG_DFL)
		signo = find_unused();
	if (!signo || !install(signo))
		return false;
	timer_use_signal(signo);
	return true;
}

static void rearm(struct thread *t, void *unused_argument)
{
	if (t->timer == THREAD_NO_TIMER)
		return;
	timer_disarm(t->timer);
	thread_arm(t);
}

/*
 * The host wants the signal: move every timer to another. Threads that block the new one get it when
 * they next set their mask; ours is never in a mask that the host sets through us.
 */
void signal_yield(void)
{
	uint64_t set;
	int signo = find_unused();

	if (!signo || !install(signo)) {
		/* Nothing left to move to: stop rather than disturb. */
		process_disarm(ATTACH_SIGNAL);
		return;
	}
	timer_use_signal(signo);
	set = 1ULL << (signo - 1);
	raw4(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, NULL, sizeof(set));
	thread_each(rearm, NULL);
}

/* The flags the host gave with the handlers in foreign_handlers. */
static int foreign_flags[FOREIGN_SIGNALS];

/* What the host may read back: its own handler, not our stand-in. */
static void unmask_old(void *handler, int flags, struct sigaction *old)
{
	if (!old)
		return;
	if (old->sa_sigaction == sample_handler) {
		memset(old, 0, sizeof(*old));
		old->sa_handler = SIG_DFL;
	} else if (old->sa_sigaction == foreign_guard && handler) {
		old->sa_sigaction = (void (*)(int, siginfo_t *, void *))handler;
		old->sa_flags = flags;
	}
}

static bool is_handler(const struct sigaction *action)
{
	return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

/*
 * Only what was ours once can have late ticks, and gets a stand-in that drops them; everything else
 * goes through as it is, but for our signal in the mask of handlers on an alternate stack: such a
 * stack may be too small for a tick on top.
 */
static int install_for_host(int signo, const struct sigaction *action, struct sigaction *old)
{
	struct sigaction given = *action;
	void *handler = atomic_load(&foreign_handlers[signo]);
	int flags = foreign_flags[signo];
	int result;

	if (is_handler(action) && (action->sa_flags & SA_ONSTACK) && !sigstack_roomy(signo))
		sigaddset(&given.sa_mask, timer_signal());
	if (is_handler(action) && signo == SIGPROF) {
		foreign_flags[signo] = action->sa_flags;
		atomic_store(&foreign_handlers[signo], (void *)action->sa_sigaction);
		given.sa_sigaction = foreign_guard;
		given.sa_flags |= SA_SIGINFO;
	}
	result = REAL(sigaction)(signo, &given, old);
	if (result == 0)
		unmask_old(handler, flags, old);
	return result;
}

EXPORT int sigaction(int signo, const struct sigaction *restrict action,
		     struct sigaction *restrict old)
{
	int mine = signal_ours(), result = 0;

	if (!mine || signo < 1 || signo >= FOREIGN_SIGNALS)
		return REAL(sigaction)(signo, action, old);
	/* Asking for the default is asking for what the host sees already. */
	if (signo == mine && action && action->sa_handler == SIG_DFL)
		action = NULL;
	else if (signo == mine && action)
		signal_yield();
	if (action)
		return install_for_host(signo, action, old);
	result = REAL(sigaction)(signo, NULL, old);
	if (result == 0)
		unmask_old(atomic_load(&foreign_handlers[signo]), foreign_flags[signo], old);
	return result;
}

EXPORT sighandler_t signal(int signo, sighandler_t handler)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;

	if (signo != signal_ours() && signo != SIGPROF)
		return REAL(signal)(signo, handler);
	sigaddset(&action.sa_mask, signo);
	return sigaction(signo, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

/* A host that waits for the signal wants it. */
static void claim_if_in(const sigset_t *set)
{
	int mine = signal_ours();

	if (mine && set && sigismember(set, mine) == 1)
		signal_yield();
}

EXPORT int sigwait(const sigset_t *restrict set, int *restrict signo)
{
	claim_if_in(set);
	return REAL(sigwait)(set, signo);
}

EXPORT int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict info)
{
	claim_if_in(set);
	return REAL(sigwaitinfo)(set, info);
}

EXPORT int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict info,
			const struct timespec *restrict timeout)
{
	claim_if_in(set);
	return REAL(sigtimedwait)(set, info, timeout);
}

EXPORT int signalfd(int fd, const sigset_t *set, int flags)
{
	claim_if_in(set);
	return REAL(signalfd)(fd, set, flags);
}

EXPORT int setitimer(__itimer_which_t which, const struct itimerval *restrict value,
		     struct itimerval *restrict old)
{
	if (which == ITIMER_PROF && signal_ours() == SIGPROF)
		signal_yield();
	return REAL(setitimer)((int)which, value, old);
}
