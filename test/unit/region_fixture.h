/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A region as a host makes it: a sealed memfd, formatted and mapped, with this process in its first
 * slot; and the host's end of its rings, by the shim's own code.
 */
#ifndef SPANPROF_TEST_REGION_FIXTURE_H
#define SPANPROF_TEST_REGION_FIXTURE_H

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/client.h"
#include "shim/feed.h"
#include "shim/region.h"
#include "shim/ring.h"

#define FIXTURE_RING_SIZE FEED_RING_MIN
#define FIXTURE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct fixture {
	int memfd;
	struct region region;
	uint32_t slot, session; /* this process's */
};

static const struct feed_config fixture_config = {
    .period_ns = 10000000, .upload_interval_ms = 15000, .service = "shop"};

static inline void fixture_init(struct fixture *f, uint32_t rings)
{
	struct region_shape shape = {.ring_count = rings,
				     .ring_size = FIXTURE_RING_SIZE,
				     .maps_size = 1 << 16,
				     .tables_size = 1 << 20,
				     .unload_count = 16};
	size_t size = region_size(&shape);
	void *base;

	memset(f, 0, sizeof(*f));
	f->memfd = memfd_create("spanprof-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(f->memfd, (off_t)size), 0);
	assert_int_equal(fcntl(f->memfd, F_ADD_SEALS, FIXTURE_SEALS), 0);
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 0);
	assert_ptr_not_equal(base, MAP_FAILED);
	region_format(&f->region, base, &shape, &fixture_config);
	assert_true(region_claim_process(&f->region, getpid(), UINT32_MAX, &f->slot, &f->session));
}

static inline void fixture_release(struct fixture *f)
{
	munmap(f->region.header, f->region.size);
	close(f->memfd);
}

static inline int fixture_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* The agent's side, over a mapping of its own. */
static inline struct client *fixture_client(struct fixture *f)
{
	const char *why = NULL;
	struct client *c =
	    client_new(fcntl(f->memfd, F_DUPFD_CLOEXEC, 0), fixture_pidfd(getpid()),
		       open("/proc/self/maps", O_RDONLY | O_CLOEXEC), getpid(), &why);

	if (!c)
		fail_msg("the region is refused: %s", why);
	return c;
}

/* A thread's ring; its tid names it and need not exist. */
static inline void fixture_ring(struct fixture *f, struct ring *ring, int32_t tid)
{
	uint8_t *data;
	struct feed_ring *control = region_claim_ring(&f->region, f->slot, f->session, tid, &data);

	assert_non_null(control);
	ring_init(ring, control, data, f->region.ring_size, f->session);
}

/* As the handler does, with frames and no stack. False: the ring is full. */
static inline bool fixture_sample(struct ring *ring, uint64_t stretch, uint16_t flags,
				  const struct feed_context *context, const uint64_t *frames,
				  uint32_t count)
{
	uint32_t size = (uint32_t)sizeof(struct feed_sample) + count * 8;
	struct feed_sample *s = ring_reserve(ring, size);

	if (!s)
		return false;
	*s = (struct feed_sample){.record = {size, FEED_SAMPLE, flags},
				  .stretch = stretch,
				  .weight = 1,
				  .frame_count = count,
				  .context = *context};
	for (uint32_t i = 0; i < count; i++)
		s->frames[i] = frames[i];
	ring_commit(ring);
	return true;
}

/* As a wrapper does. */
static inline bool fixture_stretch(struct ring *ring, uint64_t stretch,
				   const struct feed_context *owner)
{
	struct feed_stretch *s;

	ring_enter(ring);
	s = ring_reserve(ring, sizeof(*s));
	if (s)
		*s = (struct feed_stretch){{sizeof(*s), FEED_STRETCH, 0}, stretch, 0, *owner, 0};
	ring_leave(ring);
	return s != NULL;
}

#endif
