/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.c - the host thread's part of attaching: who attaches, what to do when it fails, and whether
 * the agent still lives. HANDLER. The cloned children's part is in attach_child.c.
 *
 * The host makes almost no call of its own: a child, M, that shares its memory but not its descriptors
 * does everything, so no descriptor ever enters the host's table and none of its limits is met.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "shim/attach.h"
#include "shim/attach_child.h"
#include "shim/clock.h"
#include "shim/heartbeat.h"
#include "shim/raw.h"
#include "shim/region.h"
#include "shim/self.h"
#undef errno
#include "shim/sigsafe.h"

#define ATTACH_TRIES_MAX 5U
#define ATTACH_PAUSE_NS 1000000000ULL	  /* after a failed try, times the tries so far */
#define ATTACH_RESPAWN_NS 60000000000ULL /* between two replacements of an agent */
#define ATTACH_CHECK_TICKS 16U		  /* ticks of a thread between two looks at the clock */
#define ATTACH_START_WAIT_NS 200000000L  /* pid 1 waits so long for M's word, which must live on */

struct attach_plan attach_plan;

/* Two: the one in use, and the one before it, until no thread is inside. Writer: the attaching thread. */
static struct region regions[2];
static unsigned region_index;
static _Atomic(struct region *) retired;

/* The region is of processes that are counted in another pid namespace: the agent, which knows forked
 * children by their numbers, would take us for a stranger. In ordinary memory: our children, too. */
static bool elsewhere;
static uint32_t own_slot = UINT32_MAX; /* in the region in use; a fork child finds its parent's */
static uint32_t attaches; /* of this process and its ancestors since the program started */
static _Atomic uint64_t replaced_at, next_try_at;
static struct heartbeat heart;
/* In ordinary memory: a fork child of an inert process is inert, and whoever's turn it is says why. */
extern _Atomic unsigned observe_attention;
static _Atomic uint32_t given_up;
static _Atomic uint32_t failed_step;
static _Atomic int32_t failed_error;

static void set_state(uint32_t state)
{
	atomic_store_explicit(&self_page->state, state, memory_order_release);
}

/* For this thread, if the state is still that. */
static bool claim(uint32_t state)
{
	return atomic_compare_exchange_strong_explicit(&self_page->state, &state, SELF_CLAIMED,
						       memory_order_acquire, memory_order_relaxed);
}

void attach_give_up(enum attach_step step, int error)
{
	failed_error = error;
	atomic_store_explicit(&failed_step, step, memory_order_release);
	atomic_store_explicit(&given_up, 1, memory_order_relaxed);
	atomic_store_explicit(&observe_attention, 1, memory_order_relaxed);
	set_state(SELF_FAILED);
}

bool attach_failure(enum attach_step *step, int *error)
{
	*step = atomic_exchange_explicit(&failed_step, ATTACH_OK, memory_order_acquire);
	*error = failed_error;
	return *step != ATTACH_OK;
}

/*
 * A child cloned after unshare(CLONE_NEWPID) would be the new namespace's init; when it ended, no fork
 * of the host would succeed again. Both links unreadable (no /proc) forbids as well.
 */
static bool pid_namespace_unshared(void)
{
	char own[64] = {0}, children[64] = {0};
	long a = raw4(SYS_readlinkat, AT_FDCWD, "/proc/self/ns/pid", own, sizeof(own));
	long b = raw4(SYS_readlinkat, AT_FDCWD, "/proc/self/ns/pid_for_children", children,
		      sizeof(children));

	if (a <= 0 || a != b)
		return true;
	for (long i = 0; i < a; i++)
		if (own[i] != children[i])
			return true;
	return false;
}

/* Clone M and learn how it went. The caller has the signals blocked. */
static long clone_and_wait(struct attach_work *work)
{
	unsigned long flags = CLONE_VM | CLONE_FILES | (work->stay ? 0 : CLONE_VFORK);
	long pid = raw_clone(flags, attach_child_stack(), attach_child, work);
	struct timespec wait = {.tv_nsec = ATTACH_START_WAIT_NS};

	if (pid < 0)
		return pid;
	if (work->stay) {
		/* M lives on as the agent's parent; it says when its work is done. */
		for (int i = 0; i < 10 && !atomic_load(&work->done); i++)
			raw4(SYS_futex, &work->done, FUTEX_WAIT, 0, &wait);
		return atomic_load(&work->done) ? 0 : -ETIMEDOUT;
	}
	/* Its status is in work; a host thread that waits with __WALL may even have reaped it. */
	while (raw4(SYS_wait4, pid, NULL, __WCLONE, NULL) == -EINTR)
		;
	return 0;
}

static long run_child(struct attach_work *work)
{
	uint64_t all = ~(uint64_t)0, old = 0;
	uint64_t synchronous = (1ULL << (SIGSYS - 1)) | (1ULL << (SIGSEGV - 1)) |
			       (1ULL << (SIGBUS - 1)) | (1ULL << (SIGILL - 1)) |
			       (1ULL << (SIGFPE - 1)) | (1ULL << (SIGTRAP - 1));
	uint64_t mask = all & ~synchronous;
	int subreaper = 0;
	long error;

	raw4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &old, sizeof(old));
	raw2(SYS_prctl, PR_GET_CHILD_SUBREAPER, &subreaper);
	/* Or the orphaned agent would become the host's child, and its wait for all never end. */
	if (subreaper && !work->stay)
		raw2(SYS_prctl, PR_SET_CHILD_SUBREAPER, 0);
	error = clone_and_wait(work);
	if (subreaper && !work->stay)
		raw2(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);
	raw4(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
	return error;
}

/* The new region is in use from here on; the one before goes when nobody is inside (see retire). */
static void adopt(struct region *r, uint64_t now)
{
	struct region *before = region_get();

	count_carry_over(r);
	heartbeat_start(&heart, now);
	elsewhere = false;
	atomic_store_explicit(&region_current, r, memory_order_seq_cst);
	region_index ^= 1;
	if (before)
		atomic_store_explicit(&retired, before, memory_order_release);
}

static void retire(bool alone)
{
	struct region *old;

	if (!alone || !atomic_load_explicit(&retired, memory_order_relaxed))
		return;
	old = atomic_exchange_explicit(&retired, NULL, memory_order_acquire);
	if (old && old->header) {
		raw2(SYS_munmap, old->header, old->size);
		old->header = NULL;
	}
}

static void failed(enum attach_step step, long error, uint64_t now)
{
	self_page->tries++;
	if (step == ATTACH_NAMESPACE || self_page->tries >= ATTACH_TRIES_MAX) {
		attach_give_up(step, (int)-error);
		return;
	}
	next_try_at = now + ATTACH_PAUSE_NS * self_page->tries;
	set_state(SELF_IDLE);
}

/* The state is CLAIMED, by this thread. */
static void attach(uint64_t now)
{
	struct region *r = &regions[region_index];
	/* Static: an M that stays may still write to it after we stopped waiting. CLAIMED guards it. */
	static struct attach_work work;
	long error;

	/* Its place may still hold the region before the last. Nobody can be inside that by now, since
	 * replacements are a minute apart; if somebody is, wait for the next try. */
	if (atomic_load_explicit(&retired, memory_order_relaxed) == r) {
		retire(atomic_load(&self_page->inside) <= 1);
		if (r->header) {
			failed(ATTACH_REGION, -EBUSY, now);
			return;
		}
	}
	if (pid_namespace_unshared()) {
		failed(ATTACH_NAMESPACE, 0, now);
		return;
	}
	work = (struct attach_work){.region = r, .plan = &attach_plan, .pid = self_page->pid,
				    .stay = self_page->pid == 1};
	error = run_child(&work);
	if (error || work.step != ATTACH_OK) {
		failed(error ? ATTACH_CLONE : work.step, error ? error : work.error, now);
		return;
	}
	self_page->slot = own_slot = work.slot;
	self_page->key = (uint64_t)++attaches << 32 | work.session;
	adopt(r, now);
	set_state(SELF_READY);
}

/* A region inherited from the parent whose agent is there: claim a slot in it, no system call but one. */
static bool inherit(void)
{
	struct region *r = region_get();
	uint32_t slot, session;

	if (!r || elsewhere || atomic_load(&r->header->up) == FEED_GONE)
		return false;
	if (!region_claim_process(r, self_page->pid, own_slot, &slot, &session))
		return false;
	if (atomic_load(&r->header->up) == FEED_GONE)
		return false;
	self_page->slot = own_slot = slot;
	self_page->key = (uint64_t)attaches << 32 | session;
	set_state(SELF_READY);
	return true;
}

uint32_t attach_inherit(void)
{
	if (!claim(SELF_FRESH))
		return self_state();
	self_page->pid = (int32_t)raw0(SYS_getpid);
	/* A child that is number 1 is a new namespace's. */
	elsewhere |= self_page->pid == 1;
	if (atomic_load_explicit(&given_up, memory_order_relaxed))
		set_state(SELF_FAILED);
	else if (!inherit())
		set_state(SELF_IDLE);
	return self_state();
}

/* With the caller inside: see retire. */
static uint32_t attach_try(void)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint32_t state = self_state();

	if (state == SELF_FRESH)
		state = attach_inherit();
	if (state != SELF_IDLE || now < next_try_at)
		return state;
	if (claim(SELF_IDLE))
		attach(now);
	return self_state();
}

uint32_t attach_now(void)
{
	uint32_t state;

	self_enter();
	state = attach_try();
	self_leave();
	return state;
}

/* Whether the agent of a READY process is gone. */
static bool agent_gone(struct region *r, uint64_t now, enum attach_step *step)
{
	uint32_t beat = atomic_load_explicit(&r->header->heartbeat, memory_order_relaxed);
	enum heartbeat_state state;

	*step = ATTACH_NO_ANSWER;
	if (atomic_load_explicit(&r->header->exec_error, memory_order_relaxed)) {
		*step = ATTACH_EXEC;
		return true;
	}
	if (atomic_load_explicit(&r->header->up, memory_order_acquire) == FEED_GONE)
		return true;
	state = heartbeat_look(&heart, beat, now);
	if (state == HEARTBEAT_MOVED)
		self_page->tries = 0;
	return state == HEARTBEAT_SILENT;
}

static void look_after(void)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	enum attach_step step;
	struct region *r = region_get();

	retire(atomic_load(&self_page->inside) <= 1);
	if (!agent_gone(r, now, &step))
		return;
	if (step == ATTACH_EXEC) {
		attach_give_up(step, (int)r->header->exec_error);
		return;
	}
	/* One that died may be dying of what we feed it: after the first, one a minute. */
	if (replaced_at && !heartbeat_over(now, replaced_at, ATTACH_RESPAWN_NS))
		return;
	if (!claim(SELF_READY))
		return;
	/* Another thread has replaced it since we looked. */
	if (region_get() != r) {
		set_state(SELF_READY);
	} else if (++self_page->tries >= ATTACH_TRIES_MAX) {
		attach_give_up(step, 0);
	} else {
		replaced_at = now;
		attach(now);
	}
}

uint32_t attach_check(uint32_t ticks)
{
	uint32_t state = self_state();

	if (state == SELF_READY) {
		if (ticks % ATTACH_CHECK_TICKS == 0)
			look_after();
		return self_state();
	}
	return attach_try();
}

void attach_goodbye(uint32_t timeout_ms)
{
	struct region *r = region_get();
	uint64_t now, end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000U;

	if (self_state() != SELF_READY || !r)
		return;
	atomic_store(&r->header->bye, 1);
	while ((now = clock_ns(CLOCK_MONOTONIC)) < end && atomic_load(&r->header->bye) != 2) {
		struct timespec left = {.tv_sec = (time_t)((end - now) / 1000000000U),
					.tv_nsec = (long)((end - now) % 1000000000U)};

		raw4(SYS_futex, &r->header->bye, FUTEX_WAIT, 1, &left);
	}
}
