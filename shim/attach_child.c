/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach_child.c - M and G. M unshares and empties its descriptor table, makes the region (CLONE_VM
 * puts the mapping into the host), joins the service's agent or clones G, and ends. G copies the maps
 * of the address space that it still shares, which works even when the host is already gone, and then
 * becomes the agent, or ends if there is one. HANDLER: raw system calls, static memory, no TLS.
 *
 * Each step answers a host that broke without it; docs/design.md names them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "shim/attach_child.h"
#include "shim/attach_join.h"
#include "shim/raw.h"
#undef errno
#include "shim/sigsafe.h"

#define CHILD_STACK 8192
#define CHILD_FD_LOOP_MAX 65536

#ifndef MFD_ALLOW_SEALING
#define MFD_ALLOW_SEALING 2U
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2U
#endif

static char middle_stack[CHILD_STACK] __attribute__((aligned(64)));
static char grandchild_stack[CHILD_STACK] __attribute__((aligned(64)));

/* G outlives M's frames and the attaching thread's: what it needs is static. */
static struct {
	struct feed_header *header;
	char *maps;
	uint32_t maps_size;
	bool joined;
	const struct attach_plan *plan;
	struct attach_address address;
	char pid_text[12];
} grand;

void *attach_child_stack(void)
{
	return middle_stack + sizeof(middle_stack);
}

static void fail(struct attach_work *work, enum attach_step step, long error)
{
	work->step = step;
	work->error = error;
}

static bool empty_descriptors(void)
{
	if (raw3(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE) == 0)
		return true;
	/* Kernels before 5.9. */
	if (raw1(SYS_unshare, CLONE_FILES) != 0)
		return false;
	for (int fd = 0; fd < CHILD_FD_LOOP_MAX; fd++)
		raw1(SYS_close, fd);
	return true;
}

static void lift_limit(int which)
{
	struct rlimit limit;

	if (raw4(SYS_prlimit64, 0, which, NULL, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	raw4(SYS_prlimit64, 0, which, &limit, NULL);
}

/* 0, 1 and 2 must be taken, but not by what the host has there: $(...) would wait for the agent. */
static void fill_standard_descriptors(void)
{
	for (int i = 0; i < 3; i++)
		raw4(SYS_openat, AT_FDCWD, "/", O_PATH, 0);
}

static bool address_space_limited(void)
{
	struct rlimit limit;

	return raw4(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit) == 0 &&
	       limit.rlim_cur != RLIM_INFINITY;
}

/* Descriptor FEED_FD_REGION and a mapping of it, or -errno. */
static long map_region(struct attach_work *work, const struct region_shape *shape)
{
	size_t size = region_size(shape);
	long fd = raw2(SYS_memfd_create, "spanprof", MFD_ALLOW_SEALING);
	long error, base;

	if (fd < 0)
		return fd;
	error = raw2(SYS_ftruncate, fd, size);
	/* Sealed against shrinking: or whoever holds the file could make the other side fault. */
	if (!error)
		error = raw3(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	if (error)
		goto out;
	/* Not accessible at first: under mlockall(MCL_FUTURE) the kernel would fill it at once. */
	base = raw6(SYS_mmap, NULL, size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base < 0 && base > -4096) {
		error = base;
		goto out;
	}
	raw2(SYS_munlock, base, size);
	error = raw3(SYS_mprotect, base, size, PROT_READ | PROT_WRITE);
	if (error) {
		raw2(SYS_munmap, base, size);
		goto out;
	}
	raw3(SYS_madvise, base, size, MADV_DONTDUMP);
	raw3(SYS_madvise, base, size, MADV_NOHUGEPAGE);
	region_format(work->region, (void *)base, shape, &work->plan->config);
	/* A host that runs wild must not write what its handlers will follow. */
	raw3(SYS_mprotect, base + (long)work->region->tables_offset, work->region->tables_size,
	     PROT_READ);
	return fd;
out:
	raw1(SYS_close, fd);
	return error;
}

static bool make_region(struct attach_work *work)
{
	int first = address_space_limited() ? REGION_SHAPES - 1 : 0;
	long fd = -ENOMEM;

	for (int i = first; i < REGION_SHAPES && fd < 0; i++) {
		struct region_shape shape = region_shape(i, &work->plan->config);

		fd = map_region(work, &shape);
	}
	if (fd < 0) {
		fail(work, ATTACH_REGION, fd);
		return false;
	}
	if (fd != FEED_FD_REGION) {
		raw3(SYS_dup3, fd, FEED_FD_REGION, 0);
		raw1(SYS_close, fd);
	}
	return true;
}

static void unmap_region(struct attach_work *work)
{
	raw2(SYS_munmap, work->region->header, work->region->size);
	work->region->header = NULL;
}

/* Put a descriptor at its agreed number, inherited over exec. */
static void place(long fd, int at)
{
	if (fd < 0)
		return;
	if (fd == at)
		raw3(SYS_fcntl, fd, F_SETFD, 0);
	else {
		raw3(SYS_dup3, fd, at, 0);
		raw1(SYS_close, fd);
	}
}

/* A host may be pinned and real-time: the agent would never run beside it. */
static void ordinary_scheduling(void)
{
	static const uint64_t everywhere[16] = {
		~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL,
		~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL};
	struct {
		int priority;
	} ordinary = {0};

	raw3(SYS_sched_setaffinity, 0, sizeof(everywhere), everywhere);
	raw3(SYS_sched_setscheduler, 0, SCHED_OTHER, &ordinary);
}

/* Through the child's own entry: it shares the memory, and G even when the host is gone already. */
static void copy_maps(void)
{
	long fd = raw4(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
	uint32_t length = 0;

	while (fd >= 0 && length < grand.maps_size) {
		long n = raw3(SYS_read, fd, grand.maps + length, grand.maps_size - length);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		length += (uint32_t)n;
	}
	raw1(SYS_close, fd);
	atomic_store_explicit(&grand.header->maps_length, length, memory_order_release);
}

static int grandchild(void *unused)
{
	/* The agent checks that the name is short and text; see agent/main.c. */
	const char *argv[] = {"spanprof-agent", attach_address_name(&grand.address), grand.pid_text, NULL};
	long error;

	raw0(SYS_setsid);
	raw1(SYS_chdir, "/");
	if (!atomic_load_explicit(&grand.header->maps_length, memory_order_relaxed))
		copy_maps();
	if (grand.joined)
		return 0;
	error = raw3(SYS_execve, grand.plan->agent_path, argv, grand.plan->envp);
	atomic_store_explicit(&grand.header->exec_error, (uint32_t)-error, memory_order_relaxed);
	raw1(SYS_exit_group, 127);
	return 127;
}

/*
 * The host's map, for the agent to read again later. By the host's number and not by /proc/self, which
 * is M here and unreadable once M has ended. We may: it is our own memory.
 */
static long open_maps(int32_t pid)
{
	char path[32], self[32] = {0}, mine[32];
	bool same = raw4(SYS_readlinkat, AT_FDCWD, "/proc/self", self, sizeof(self) - 1) > 0;

	/* A /proc of another pid namespace has somebody else under that number. */
	attach_put_number(mine, (uint64_t)raw0(SYS_getpid), 10, 1);
	for (unsigned i = 0; same && (!i || mine[i - 1]); i++)
		same = self[i] == mine[i];
	if (!same)
		return -ESRCH;
	attach_put_text(attach_put_number(attach_put_text(path, "/proc/"), (uint64_t)pid, 10, 1), "/maps");
	return raw4(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
}

static void prepare_grandchild(const struct attach_work *work)
{
	const struct region *r = work->region;

	grand.header = r->header;
	grand.maps = (char *)r->header + r->maps_offset;
	grand.maps_size = r->maps_size;
	grand.plan = work->plan;
	attach_put_number(grand.pid_text, (uint64_t)work->pid, 10, 1);
}

static void attach_steps(struct attach_work *work)
{
	long maps, error;

	if (!empty_descriptors()) {
		fail(work, ATTACH_FILES, 0);
		return;
	}
	lift_limit(RLIMIT_NOFILE);
	lift_limit(RLIMIT_FSIZE);
	lift_limit(RLIMIT_MEMLOCK);
	fill_standard_descriptors();
	if (!make_region(work))
		return;
	if (!region_claim_process(work->region, work->pid, UINT32_MAX, &work->slot,
				  &work->session)) {
		fail(work, ATTACH_SLOT, 0);
		goto unmap;
	}
	place(raw2(SYS_pidfd_open, work->pid, 0), FEED_FD_HOST);
	maps = open_maps(work->pid);
	place(maps, FEED_FD_MAPS);
	attach_address_make(&grand.address, work->plan->config_hash);
	prepare_grandchild(work);
	/* An agent that gets no descriptor for the map looks for the copy as soon as it is told. */
	if (maps < 0)
		copy_maps();
	grand.joined = attach_join(&grand.address, work->pid, maps >= 0);
	ordinary_scheduling();
	error = raw_clone(CLONE_VM | CLONE_FILES, grandchild_stack + sizeof(grandchild_stack),
			  grandchild, NULL);
	/* A joined agent can do without the copy of the maps. */
	if (error >= 0 || grand.joined)
		return;
	fail(work, ATTACH_AGENT_CLONE, error);
unmap:
	unmap_region(work);
}

static void say_done(struct attach_work *work)
{
	atomic_store_explicit(&work->done, 1, memory_order_release);
	raw3(SYS_futex, &work->done, FUTEX_WAKE, 1);
}

int attach_child(void *arg)
{
	struct attach_work *work = arg;
	uint64_t all = ~(uint64_t)0;
	bool stay = work->stay;

	raw4(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
	attach_steps(work);
	say_done(work);
	/* From here work may be gone. The agent of a host that is pid 1 must not be adopted by it. */
	if (stay) {
		raw0(SYS_setsid);
		while (raw4(SYS_wait4, -1, NULL, __WALL, NULL) != -ECHILD)
			;
	}
	return 0;
}
