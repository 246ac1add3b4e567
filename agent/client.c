/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - adopting regions, watching their processes come and go. AGENT: everything read from a
 * region is copied first and then checked; everything read from /proc may fail and is then done
 * without.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/client.h"
#include "agent/jit.h"
#include "agent/log.h"
#include "agent/proc.h"
#include "agent/publish.h"
#include "agent/unloads.h"

#define CLIENT_CHECK_NS 1000000000ULL	  /* between two looks whether a process has exec'ed */
#define CLIENT_CLAIM_TURNS 100 /* of the agent's loop that a slot may be in the making */
#define CLIENT_SILENT_NS 60000000000ULL /* a process that cannot be watched is gone after so long */

/* [offset, offset + count * size) lies within the file, behind the header. */
static bool inside(uint64_t offset, uint64_t count, uint64_t size, uint64_t file)
{
	return offset >= sizeof(struct feed_header) && offset % 8 == 0 && offset <= file &&
	       count <= (file - offset) / size;
}

static const char *check_header(struct client *c, const struct feed_header *h, uint64_t file)
{
	if (h->magic != FEED_MAGIC || h->version != FEED_VERSION)
		return "not a region of this version";
	if (h->size != file || h->process_count != FEED_PROCESSES)
		return "its size is not what it says";
	if (h->ring_count == 0 || h->ring_count > FEED_RINGS_MAX || h->ring_size < FEED_RING_MIN ||
	    h->ring_size > FEED_RING_MAX || (h->ring_size & (h->ring_size - 1)))
		return "its rings are impossible";
	if (!inside(h->processes_offset, h->process_count, sizeof(struct feed_process), file) ||
	    !inside(h->rings_offset, h->ring_count, sizeof(struct feed_ring), file) ||
	    !inside(h->maps_offset, h->maps_size, 1, file) ||
	    !inside(h->unloads_offset, h->unload_count, sizeof(struct feed_unload), file) ||
	    h->unload_count > UNLOADS_LOG_MAX ||
	    !inside(h->tables_offset, h->tables_size, 1, file) || h->tables_size > UINT32_MAX ||
	    !inside(h->data_offset, h->ring_count, h->ring_size, file) || h->rings_offset % 64)
		return "its parts lie outside of it";
	c->slots = (struct feed_process *)((uint8_t *)c->header + h->processes_offset);
	c->controls = (struct feed_ring *)((uint8_t *)c->header + h->rings_offset);
	c->log = (struct feed_unload *)((uint8_t *)c->header + h->unloads_offset);
	c->log_count = h->unload_count;
	c->tables = (uint8_t *)c->header + h->tables_offset;
	c->tables_size = (uint32_t)h->tables_size;
	c->data = (uint8_t *)c->header + h->data_offset;
	c->ring_count = h->ring_count;
	c->ring_size = h->ring_size;
	c->maps_size = h->maps_size;
	c->maps_offset = h->maps_offset;
	return NULL;
}

static void end_text(char *text, size_t size)
{
	text[size - 1] = 0;
}

static void check_config(struct feed_config *config)
{
	end_text(config->service, sizeof(config->service));
	end_text(config->labels, sizeof(config->labels));
	end_text(config->server, sizeof(config->server));
	end_text(config->output_dir, sizeof(config->output_dir));
	end_text(config->log_file, sizeof(config->log_file));
	end_text(config->debug_path, sizeof(config->debug_path));
	if (config->period_ns < 1000000 || config->period_ns > 1000000000)
		config->period_ns = 10000000;
	if (config->upload_interval_ms < 1000 || config->upload_interval_ms > 600000)
		config->upload_interval_ms = 15000;
	if (config->frames_max < 1 || config->frames_max > FEED_FRAMES_MAX)
		config->frames_max = 128;
	if (config->max_spans < 1 || config->max_spans > FEED_SPANS_MAX)
		config->max_spans = 5000;
	if (config->span_names > FEED_NAMES_OFF)
		config->span_names = FEED_NAMES_OFF;
}

static const char *map_region(struct client *c)
{
	struct feed_header *copy;
	struct stat st;
	const char *why;
	int seals = fcntl(c->memfd, F_GET_SEALS);

	/* Without the seal, whoever holds the file could shrink it and make us fault. */
	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return "it is not sealed";
	if (fstat(c->memfd, &st) != 0 || st.st_size < (off_t)sizeof(struct feed_header))
		return "it is too small";
	c->size = (size_t)st.st_size;
	c->header = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED, c->memfd, 0);
	if (c->header == MAP_FAILED) {
		c->header = NULL;
		return "it cannot be mapped";
	}
	copy = malloc(sizeof(*copy));
	if (!copy)
		return "out of memory";
	memcpy(copy, c->header, sizeof(*copy));
	why = check_header(c, copy, c->size);
	c->config = copy->config;
	free(copy);
	check_config(&c->config);
	if (!why) {
		c->readers = calloc(c->ring_count, sizeof(*c->readers));
		if (!c->readers)
			why = "out of memory";
	}
	return why;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

struct client *client_new(int memfd, int pidfd, int maps, pid_t pid, const char **why)
{
	struct client *c = calloc(1, sizeof(*c));
	pid_t own;

	if (!c) {
		*why = "out of memory";
		close_fd(&memfd);
		close_fd(&pidfd);
		close_fd(&maps);
		return NULL;
	}
	c->memfd = memfd;
	c->first_pidfd = pidfd;
	c->first_maps_fd = maps;
	c->first_pid = pid;
	/* -1: ended and reaped already, as a daemon's first process is; its children may well live. */
	own = pidfd >= 0 ? proc_pid_of(pidfd) : -1;
	c->foreign_pids = own != -1 && own != pid;
	*why = map_region(c);
	if (*why) {
		client_free(c);
		return NULL;
	}
	return c;
}

static void process_free(struct process *p)
{
	if (!p)
		return;
	close_fd(&p->pidfd);
	close_fd(&p->maps_fd);
	client_maps_release(p);
	jit_process_free(p->jit);
	unloads_free(p->unloads);
	free(p);
}

void client_free(struct client *c)
{
	if (!c)
		return;
	publish_release(c);
	for (uint32_t i = 0; i < FEED_PROCESSES; i++)
		process_free(c->processes[i]);
	close_fd(&c->first_pidfd);
	close_fd(&c->first_maps_fd);
	if (c->header)
		munmap(c->header, c->size);
	close_fd(&c->memfd);
	free(c->readers);
	free(c);
}

/* Its own descriptors for the attaching process, by number for its fork children. */
static void watch(struct client *c, struct process *p, uint64_t boottime_ns)
{
	p->pidfd = p->maps_fd = -1;
	if (p->pid == c->first_pid && c->first_pidfd >= 0) {
		p->pidfd = c->first_pidfd;
		p->maps_fd = c->first_maps_fd;
		c->first_pidfd = c->first_maps_fd = -1;
		return;
	}
	if (c->foreign_pids)
		return;
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd < 0 && errno == ESRCH)
		p->ended = true;
	/* The number may already be a stranger's. */
	if (p->pidfd >= 0 && !proc_started_before(p->pid, boottime_ns)) {
		close_fd(&p->pidfd);
		p->ended = true;
	}
	if (p->pidfd >= 0)
		p->maps_fd = proc_open_maps(p->pid);
}

static void adopt_slot(struct client *c, uint32_t slot, const struct feed_process *copy,
		       uint64_t now_ns)
{
	struct process *p = calloc(1, sizeof(*p)), *parent;

	if (!p)
		return;
	p->session = copy->session;
	p->slot = slot;
	p->pid = copy->pid;
	p->seen_ns = now_ns;
	watch(c, p, copy->boottime_ns);
	/* Until its own map is read, its parent's at the fork is the best that is known. */
	parent = copy->parent < FEED_PROCESSES ? c->processes[copy->parent] : NULL;
	if (parent && parent->mapset && p->maps_fd < 0 &&
	    parent->maps_epoch == atomic_load(&c->slots[parent->slot].maps_epoch)) {
		p->mapset = parent->mapset;
		p->mapset->references++;
	}
	c->processes[slot] = p;
	c->process_count++;
	log_debug("process %d is a client", (int)p->pid);
}

static bool has_ended(struct process *p, uint64_t now_ns)
{
	struct pollfd poll_fd = {.fd = p->pidfd, .events = POLLIN};

	if (p->ended)
		return true;
	if (p->pidfd >= 0 && poll(&poll_fd, 1, 0) > 0)
		return true;
	if (now_ns - p->checked_ns < CLIENT_CHECK_NS)
		return false;
	p->checked_ns = now_ns;
	if (p->pidfd < 0)
		return now_ns - p->seen_ns > CLIENT_SILENT_NS;
	/* An exec is no end of the process, but of its memory and so of its part here. */
	return p->maps_fd >= 0 && proc_maps_gone(p->maps_fd);
}

/* Slots are claimed from the lowest free one, so no more than were ever claimed need a look; looking
 * at the others would make memory of them. */
uint32_t client_slots(const struct client *c)
{
	/* seq_cst: client_leave looks here after it has told that it leaves. */
	uint32_t claims = atomic_load(&c->header->sessions);

	return claims < FEED_PROCESSES - 1 ? claims + 1 : FEED_PROCESSES;
}

uint32_t client_rings(const struct client *c)
{
	uint32_t claims = atomic_load_explicit(&c->header->ring_hint, memory_order_relaxed);

	return claims < c->ring_count ? claims : c->ring_count;
}

unsigned client_update(struct client *c, uint64_t now_ns)
{
	uint32_t slots = client_slots(c);
	unsigned live = 0;

	for (uint32_t i = 0; i < slots; i++) {
		struct feed_process copy;
		struct process *p = c->processes[i];

		if (!p) {
			if (atomic_load_explicit(&c->slots[i].state, memory_order_acquire) !=
			    FEED_PROCESS_LIVE)
				continue;
			memcpy(&copy, &c->slots[i], sizeof(copy));
			if (copy.session && copy.pid > 0)
				adopt_slot(c, i, &copy, now_ns);
			p = c->processes[i];
			if (!p)
				continue;
		}
		p->ended = has_ended(p, now_ns);
		live += !p->ended;
	}
	return live;
}

void client_forget(struct client *c, uint32_t slot, uint64_t now_ns)
{
	struct process *p = c->processes[slot];

	log_debug("process %d is gone", (int)p->pid);
	publish_forget(c, p, now_ns);
	c->processes[slot] = NULL;
	c->process_count--;
	process_free(p);
	atomic_store_explicit(&c->slots[slot].state, FEED_PROCESS_FREE, memory_order_release);
}

struct process *client_process(struct client *c, uint32_t slot, uint32_t session)
{
	struct process *p = slot < FEED_PROCESSES ? c->processes[slot] : NULL;

	return p && p->session == session ? p : NULL;
}

void client_enter(struct client *c, pid_t agent)
{
	atomic_store(&c->header->up, (uint32_t)agent);
}

bool client_leave(struct client *c)
{
	/* seq_cst on both sides: a host claims a slot and then looks at up (shim/region.c). */
	uint32_t up = atomic_exchange(&c->header->up, FEED_GONE);

	for (uint32_t i = 0; i < client_slots(c); i++) {
		uint32_t state = c->processes[i] ? FEED_PROCESS_FREE : atomic_load(&c->slots[i].state);

		/* Who died in the middle of a claim will never finish it. */
		if (state == FEED_PROCESS_LIVE ||
		    (state != FEED_PROCESS_FREE && c->waited_for_claim++ < CLIENT_CLAIM_TURNS)) {
			atomic_store(&c->header->up, up);
			return false;
		}
	}
	return true;
}

void client_wake(struct client *c)
{
	atomic_store(&c->header->bye, 2);
	syscall(SYS_futex, &c->header->bye, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}
