/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed.h - the contract between a host and the agent: the layout of the region, and nothing else.
 *
 * A region is one sealed memfd that the host's shim creates (shim/attach.c) and the agent adopts. The
 * attaching process and its fork children write into it; one agent reads. It holds, in this order, a
 * header, a table of processes, a table of ring controls, objects that were unloaded, a copy of the
 * attaching process's memory map, the unwind tables (feed_tables.h), and the rings' data. Everything is
 * an offset or an index, fields have fixed widths, and the sizes that the header states are checked by
 * the reader against the file it really has.
 *
 * The two sides do not trust each other. The agent copies a record before it checks it, and bounds
 * every field; a host never follows an index it did not write itself. Byte order and alignment are the
 * machine's: both sides run on it.
 *
 * Atomic words state their writer, reader and ordering where they are declared.
 */
#ifndef SPANPROF_SHIM_FEED_H
#define SPANPROF_SHIM_FEED_H

#include <stdatomic.h>
#include <stdint.h>

#include "shim/feed_tables.h"

#define FEED_MAGIC 0x6e617073U /* "span" */
#define FEED_VERSION 4U
#define FEED_PROCESSES 1024U   /* processes of one region at once: the attaching one and its forks */
#define FEED_RINGS_MAX 4096U   /* the most rings a reader accepts */
#define FEED_RING_MIN (1U << 14)
#define FEED_RING_MAX (1U << 22)
#define FEED_FRAMES_MAX 1024U  /* program counters in one sample */
#define FEED_SPANS_MAX 100000U /* the most that max_spans may be */
#define FEED_STACK_MAX 65536U  /* bytes of copied stack in one sample */
#define FEED_GONE UINT32_MAX   /* in up: the agent has left */
#define FEED_ALIGN 8U          /* records start at multiples of it and have sizes that are */

/* Registers of a sample, by their DWARF numbers. */
#if defined(__aarch64__)
#define FEED_REGS 33U
#define FEED_REG_FP 29U
#define FEED_REG_SP 31U
#define FEED_REG_PC 32U
#else
#define FEED_REGS 17U
#define FEED_REG_FP 6U
#define FEED_REG_SP 7U
#define FEED_REG_PC 16U
#endif

/* File descriptors that the agent finds at its start, and that a joining process sends, in order. */
enum feed_fd {
	FEED_FD_REGION = 3, /* the memfd */
	FEED_FD_HOST = 4,   /* pidfd of the attaching process */
	FEED_FD_MAPS = 5,   /* its /proc/self/maps, bound to its address space; may be absent */
};

/* What the environment said, once, in the constructor. Strings end in a NUL within their array. */
struct feed_config {
	uint64_t period_ns;          /* of CPU time between two samples of a thread */
	uint32_t upload_interval_ms; /* between uploads, aligned to the wall clock */
	uint32_t exit_timeout_ms;    /* the longest a host that must wait for the last flush waits */
	uint32_t log_level;          /* enum feed_log_level */
	uint32_t trace_id_label;     /* enum feed_switch */
	uint32_t shorten_templates;  /* of names in profiles: 1 or 0 */
	uint32_t frames_max;         /* of one sample's stack, 1 to FEED_FRAMES_MAX */
	uint32_t debuginfod;         /* whether debug files are fetched: 1 or 0 */
	uint32_t verify_stacks;      /* copy every stack, for a second opinion: 1 or 0 */
	uint32_t max_spans;          /* distinct, in one upload; 1 to FEED_SPANS_MAX */
	uint32_t span_names;         /* enum feed_names */
	char service[256];
	char labels[2048]; /* "k=v,k=v", already checked: no '{', '}', and no ',' or '=' in keys */
	char server[1024]; /* URL, or empty */
	char output_dir[1024]; /* absolute, or empty */
	char log_file[1024];   /* absolute, or empty */
	char debug_path[1024]; /* directories with debug files, separated by ':' */
};

enum feed_log_level { FEED_LOG_NONE, FEED_LOG_ERROR, FEED_LOG_WARN, FEED_LOG_INFO, FEED_LOG_DEBUG };
enum feed_switch { FEED_AUTO, FEED_ON, FEED_OFF };
enum feed_names { FEED_NAMES_ROUTE, FEED_NAMES_METHOD, FEED_NAMES_OFF };

/* A message on the service's socket: who joins. The descriptors travel beside it. */
struct feed_join {
	uint32_t magic, version;
	int32_t pid; /* of the attaching process, in its own namespace */
	uint32_t reserved;
};

/* Why samples were lost or degraded; the X-list is the order of the words in the header. */
#define FEED_COUNTERS(X)                                                                             \
	X(samples, "samples taken")                                                                  \
	X(ring_full, "samples dropped: the thread's ring was full")                                  \
	X(ring_none, "samples dropped: no ring was free")                                            \
	X(attaching, "samples dropped while the process attached")                                   \
	X(timer_failed, "threads without a timer: the system gave none")                             \
	X(thread_failed, "threads without a record")                                                 \
	X(event_lost, "late labels dropped: the thread's ring was full")                             \
	X(conn_busy, "connections given up: two threads were in one at once")                        \
	X(conn_range, "connections not seen: descriptor above the table")                            \
	X(slot_none, "fork children not seen: no process slot was free")                             \
	X(foreign_signal, "signals of others that came to our handler")                              \
	X(stack_truncated, "samples whose stack was longer than the copy")                          \
	X(unload_lost, "dlcloses that the agent was not told of in full")

enum feed_counter {
#define X(name, text) FEED_COUNTER_##name,
	FEED_COUNTERS(X)
#undef X
		FEED_COUNTER_COUNT
};

struct feed_header {
	uint32_t magic, version;
	uint64_t size; /* of the file */
	uint32_t processes_offset, process_count;
	uint32_t rings_offset, ring_count;
	uint64_t maps_offset; /* text of /proc/self/maps at the attach */
	uint32_t maps_size;   /* room for it */
	uint32_t ring_size;   /* bytes of data of each ring; a power of two */
	uint64_t data_offset; /* of ring 0's data; ring i's is at data_offset + i * ring_size */
	uint64_t tables_offset; /* of the area that the agent publishes unwind tables in */
	uint64_t tables_size;	/* 0: none; at most 4 GiB */
	uint64_t unloads_offset; /* of the entries that tell which objects went */
	uint32_t unload_count;
	uint32_t reserved;

	/* Writer G before it becomes the agent; reader agent after exec: no ordering needed. */
	_Atomic uint32_t maps_length;
	/* Writer G when exec failed (its errno); reader handler, relaxed. */
	_Atomic uint32_t exec_error;
	/* Writer agent: its pid once it has adopted the region, FEED_GONE when it leaves it (seq_cst);
	 * reader handler: no agent within a while, or no longer one, means attach again. */
	_Atomic uint32_t up;
	/* Writer agent, a count that moves at least once a second; reader handler, relaxed. */
	_Atomic uint32_t heartbeat;
	/* Writer host: 1 when its end waits for the flush; writer agent: 2 when that is done. A futex. */
	_Atomic uint32_t bye;
	/* Writer hosts: the last session number given to a process (fetch_add, seq_cst: see up). */
	_Atomic uint32_t sessions;
	/* Writer hosts: where the search for a free ring starts (fetch_add, relaxed). */
	_Atomic uint32_t ring_hint;
	/* Writer hosts (seq_cst, before closing falls; only grows): how many of the unloads' entries were
	 * ever claimed. Reader agent: it looks at no others. */
	_Atomic uint32_t unloads_used;
	/* Writers hosts (fetch_add, relaxed); reader agent. */
	_Atomic uint64_t counters[FEED_COUNTER_COUNT];
	struct feed_config config;
};

enum feed_process_state { FEED_PROCESS_FREE, FEED_PROCESS_CLAIMING, FEED_PROCESS_LIVE };

/*
 * What is known of a process's trials of one kind, which are numbered from 1: the latest that was passed, and that all
 * up to the other are over, passed or not. Both only grow. Writers threads of the host (release; over after the
 * passed that it tells of), reader agent (acquire; over first).
 */
struct feed_verdict {
	_Atomic uint32_t passed, over;
};

/* A trial's number is its own, shifted by these bits, and its kind. */
#define FEED_TRIAL_KIND_BITS 3
#define FEED_TRIAL_KINDS (1U << FEED_TRIAL_KIND_BITS)

/* One process that writes into the region. */
struct feed_process {
	/* FREE -> CLAIMING by a host (cmpxchg, acquire), LIVE by the same host (release: the fields
	 * below are written), FREE again by the agent after the process's end (release). */
	_Atomic uint32_t state;
	uint32_t session; /* never 0, never given twice in a region; names the claim */
	int32_t pid;
	uint32_t parent;      /* index of the slot it was forked from, or its own */
	uint64_t boottime_ns; /* CLOCK_BOOTTIME at the claim: a process started later is a stranger */
	/* Counts dlcloses, before and after each; samples say what it was. Writer host (seq_cst); readers
	 * its handlers and the agent, which reads it before and after it reads the map. */
	_Atomic uint32_t maps_epoch;
	/* Offset in the tables of its struct feed_snapshot, 0: none yet. Writer agent (release), reader
	 * the process's handlers (acquire). What it replaces stays readable for a while: a handler looks
	 * again when it has done, and drops its frames if the word has changed. */
	_Atomic uint32_t snapshot;
	/* dlcloses that run, from before the first move of maps_epoch until all is told of what went.
	 * Writer host (seq_cst), reader agent. */
	_Atomic uint32_t closing;
	/* What went up to the dlclose of this number may not have been told: some objects in [low, high).
	 * Writer host (seq_cst: the bounds first), reader agent. */
	_Atomic uint32_t lost;
	_Atomic uint64_t lost_below; /* UINT64_MAX - low, so that 0 is nothing; both only grow */
	_Atomic uint64_t lost_high;
	uint64_t reserved;
	struct feed_verdict verdicts[FEED_TRIAL_KINDS];
};

/* An object that dlopen loaded. Addresses in the process; absent parts are 0. */
struct feed_object {
	uint64_t start, end;	       /* all of it */
	uint64_t text_start, text_end; /* its first executable segment, in whole pages */
	uint64_t text_offset;	       /* of text_start in the file */
	uint32_t build_id_size;
	uint32_t reserved;
	uint8_t build_id[32];
	char path[256]; /* as the process names it; empty: longer */
};

enum feed_unload_state { FEED_UNLOAD_FREE, FEED_UNLOAD_CLAIMED, FEED_UNLOAD_FULL };

/* An object that a dlclose unloaded. */
struct feed_unload {
	/* FREE -> CLAIMED by a host (cmpxchg, acquire), FULL by it (release: the rest is written), FREE
	 * again by the agent once copied (release). */
	_Atomic uint32_t state;
	uint32_t session;      /* of the process */
	uint32_t slot;	       /* and its index */
	uint32_t begin, end;   /* maps_epoch after its moves before and after the dlclose */
	uint32_t looked;       /* maps_epoch when it was looked what is left */
	uint32_t reused;       /* 1: another object lay there already when that was looked at */
	uint32_t reserved;
	uint64_t time_ns; /* by the clock of samples: gone by then, there when the dlclose began */
	struct feed_object object;
};

enum feed_ring_state { FEED_RING_FREE, FEED_RING_CLAIMED, FEED_RING_RELEASED };

/* One single-producer, single-consumer ring of records: a thread's. */
struct feed_ring {
	/* FREE -> CLAIMED by a host thread (cmpxchg, acquire); RELEASED by it at its end (release);
	 * FREE by the agent once drained (release). */
	_Atomic uint32_t state;
	/* Of its process. Writer the claiming thread, last (release: process and tid are written); 0
	 * again by the agent before FREE. Reader agent, acquire: 0 is a claim in the making. */
	_Atomic uint32_t session;
	uint32_t process; /* index of its slot */
	int32_t tid;
	uint64_t reserved[5];
	/* Bytes ever written; writer thread (release, after the record), reader agent (acquire). */
	_Alignas(64) _Atomic uint64_t head;
	/* Bytes ever consumed; writer agent (release, after copying), reader thread (acquire). */
	_Alignas(64) _Atomic uint64_t tail;
};

enum feed_kind { FEED_PAD = 1, FEED_SAMPLE = 2, FEED_STRETCH = 3, FEED_TICKET = 4 };

/* Every record starts so; size counts the whole record. A pad's contents mean nothing. */
struct feed_record {
	uint32_t size;
	uint16_t kind;
	uint16_t flags;
};

enum feed_context_flags {
	FEED_CONTEXT_REQUEST = 1, /* a request is known; without IDS it is an untraced one */
	FEED_CONTEXT_IDS = 2,     /* trace_id and span_id are set, and the trace is sampled */
};

#define FEED_METHOD_SIZE 16
#define FEED_TARGET_SIZE 64

/* Whose work it is. */
struct feed_context {
	uint8_t trace_id[16];
	uint8_t span_id[8]; /* the local root's; with a traceparent alone, the caller's */
	uint32_t flags;     /* enum feed_context_flags */
	uint32_t request;   /* number of the request in its process; 0 is none */
	/* What it asks for, as sent, each NUL-terminated and cut to fit; empty: not known. Only of
	 * requests that this process saw the head of. */
	char method[FEED_METHOD_SIZE];
	char target[FEED_TARGET_SIZE]; /* the path, without its query */
};

enum feed_sample_flags {
	/* The sample's context is a guess that the stretch's end confirms or replaces. Without an end it
	 * is nobody's. */
	FEED_SAMPLE_OPEN = 1,
	/* Registers and a slice of the stack follow the frames: there are none, and the agent walks it;
	 * or the agent shall walk it as well, and compare. */
	FEED_SAMPLE_STACK = 2,
	FEED_SAMPLE_TRUNCATED = 4, /* the frames do not reach the root, or the slice the end of the stack */
};

/* One tick of one thread. Followed by frames, then registers and stack if the flag says so. */
struct feed_sample {
	struct feed_record record;
	uint64_t time_ns; /* the host's CLOCK_MONOTONIC; comparable within its process only */
	uint64_t stretch; /* the thread's count of stretches */
	uint32_t weight;  /* periods of CPU time that it stands for: 1 + overrun, at least 1 */
	uint32_t frame_count;
	struct feed_context context;
	uint64_t stack_address; /* of the first byte of the slice */
	uint32_t stack_length;
	uint32_t maps_epoch; /* of the process, before anything else was looked at */
	uint64_t frames[]; /* leaf first; FEED_FRAME_EXACT is set in those that are no return address */
};
#define FEED_FRAME_EXACT (1ULL << 63)

/*
 * FEED_STRETCH: a stretch that had open samples is over: this is whose it was (no flags: nobody's), or
 * under which ticket its samples wait on. FEED_TICKET: this is whose all of those were, or, with a trial,
 * whose they were if that is passed, which the process's verdicts say.
 */
struct feed_stretch {
	struct feed_record record;
	uint64_t stretch; /* of a ticket: 0 */
	uint64_t ticket;  /* a number of the ring's, or 0: context is the owner */
	struct feed_context context;
	uint64_t trial; /* a number of the process's, or 0 */
};

_Static_assert(sizeof(struct feed_process) == 128, "process slots are 128 bytes");
_Static_assert(sizeof(struct feed_ring) == 192, "ring controls are three cache lines");
_Static_assert(sizeof(struct feed_unload) % FEED_ALIGN == 0, "unloads are aligned");
_Static_assert(sizeof(struct feed_context) == 112, "contexts are 112 bytes");
_Static_assert(sizeof(struct feed_sample) % FEED_ALIGN == 0, "frames are aligned");

#endif
