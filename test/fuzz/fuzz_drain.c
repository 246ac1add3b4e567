/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A region that lies, and goes on lying while it is read: the input's bytes are spread over the
 * header, the process table, the ring controls, the unloads, the maps and the rings of a good one, between the
 * agent's turns. Each write is struct lie and its bytes; one of length 0 is a turn.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/collect.h"
#include "shim/region.h"

#define RINGS 3
#define TURNS_MAX 8

struct lie {
	uint8_t part, length; /* of what, how many bytes follow */
	uint16_t at;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct region_shape shape = {
    .ring_count = RINGS, .ring_size = FEED_RING_MIN, .maps_size = 4096, .tables_size = 1 << 16,
    .unload_count = 8};

/* A region with this process and a claimed ring in it, through which one good record went. */
static int make(struct region *r)
{
	static const struct feed_config config = {.period_ns = 10000000, .service = "fuzz"};
	int fd = memfd_create("fuzz_drain", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint32_t slot, session;
	uint8_t *bytes;
	void *base;

	if (fd < 0 || ftruncate(fd, (off_t)region_size(&shape)) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		abort();
	base = mmap(NULL, region_size(&shape), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	region_format(r, base, &shape, &config);
	if (!region_claim_process(r, getpid(), 0, &slot, &session) ||
	    !region_claim_ring(r, slot, session, 1, &bytes))
		abort();
	return fd;
}

static uint8_t *part(struct region *r, const struct lie *lie, size_t *room)
{
	uint32_t ring = lie->part / 8 % RINGS;

	switch (lie->part % 8) {
	case 0:
		*room = offsetof(struct feed_header, config);
		return (uint8_t *)r->header;
	case 1:
		*room = 4 * sizeof(*r->processes);
		return (uint8_t *)r->processes;
	case 2:
	case 3:
		*room = sizeof(*r->rings);
		return (uint8_t *)&r->rings[ring];
	case 5:
		*room = r->unload_count * sizeof(*r->unloads);
		return (uint8_t *)r->unloads;
	case 4:
		*room = r->maps_size;
		return (uint8_t *)r->header + r->maps_offset;
	}
	*room = r->ring_size;
	return r->data + (size_t)ring * r->ring_size;
}

/* Tell lies until the next turn; what is left of the input. */
static size_t tell(struct region *r, const uint8_t **data, size_t size)
{
	while (size >= sizeof(struct lie)) {
		struct lie lie;
		size_t room, n;
		uint8_t *to;

		memcpy(&lie, *data, sizeof(lie));
		*data += sizeof(lie);
		size -= sizeof(lie);
		if (!lie.length)
			return size;
		to = part(r, &lie, &room);
		to += lie.at % room;
		room -= lie.at % room;
		n = lie.length < size ? lie.length : size;
		memcpy(to, *data, n < room ? n : room);
		*data += n;
		size -= n;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct region r = {0};
	int fd = make(&r), pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct collect *collect = collect_new(&(struct feed_config){.period_ns = 10000000, .max_spans = 10}, 1);
	struct client *c;
	const char *why;

	collect_verify(collect);
	size = tell(&r, &data, size);
	c = client_new(fd, pidfd, -1, getpid(), &why);
	for (uint64_t turn = 1; c && turn <= TURNS_MAX; turn++) {
		client_update(c, turn * 1000000000U);
		collect_client(collect, c, turn * 1000000000U);
		collect_expire(collect, c, turn * 1000000000U, 3000000000U);
		size = tell(&r, &data, size);
	}
	if (c) {
		collect_expire(collect, c, 0, 0);
		client_leave(c);
	}
	client_free(c);
	collect_free(collect);
	munmap(r.header, r.size);
	return 0;
}
