/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drain.h - untrusted records to checked samples. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_DRAIN_H
#define SPANPROF_AGENT_DRAIN_H

#include <stdint.h>

#include "agent/client.h"

/* A checked copy: every length in it has been bounded. Valid during the call. */
struct drained_sample {
	struct client *client;
	struct process *process;
	uint64_t stretch;
	uint32_t weight;
	uint32_t flags; /* enum feed_sample_flags */
	struct feed_context context;
	const uint64_t *frames; /* leaf first */
	uint32_t frame_count;
	const uint64_t *regs; /* FEED_REGS of them, or NULL: no stack was copied */
	const uint8_t *stack;
	uint64_t stack_address;
	uint32_t stack_length;
	uint32_t maps_epoch;
	uint64_t time_ns; /* the host's clock */
};

struct drain_sink {
	void *arg;
	void (*sample)(void *arg, const struct drained_sample *sample, struct ring_reader *reader);
	/* A FEED_STRETCH or FEED_TICKET. */
	void (*stretch)(void *arg, const struct feed_stretch *end, struct ring_reader *reader);
	/* No record will come from this claim of the ring any more. process: whose it was; NULL: it was forgotten. */
	void (*closed)(void *arg, struct process *process, struct ring_reader *reader);
	/* A ring was read for now; slot: its process's, in the region. May be NULL. */
	void (*rest)(void *arg, const struct feed_process *slot, struct ring_reader *reader);
	/* Likewise all of a process's. May be NULL. */
	void (*done)(void *arg, const struct feed_process *slot, struct process *process);
};

/*
 * Take everything there is out of the client's rings; rings and slots of threads and processes that
 * ended are freed once empty. Returns how many records came, bad ones included.
 */
uint64_t drain_client(struct client *client, const struct drain_sink *sink, uint64_t now_ns);
/* Records that were not what they must be, ever. */
uint64_t drain_malformed(void);

#endif
