/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_tables.h - the part of feed.h that the agent writes and the handlers walk stacks by.
 */
#ifndef SPANPROF_SHIM_FEED_TABLES_H
#define SPANPROF_SHIM_FEED_TABLES_H

#include <stdint.h>

/*
 * Unwind tables: what .eh_frame says, compiled. The canonical frame address (CFA) is the stack pointer
 * before the call. On x86-64 the return address lies right below it; on aarch64 it is in lr (x30)
 * until it is saved, which the rule for the frame pointer (x29) says too. Whose rows they are is not
 * written anywhere: host and agent run on one machine.
 */
enum feed_cfa {
	FEED_CFA_NONE,	   /* nothing is known of this code: by the frame pointer, if that is one */
	FEED_CFA_ROOT,	   /* the outermost frame: no return address */
	FEED_CFA_SP,	   /* CFA = sp + offset */
	FEED_CFA_FP,	   /* CFA = fp + offset */
	FEED_CFA_FP_DEREF, /* x86-64: CFA = *(fp + offset) (realigned frames) */
	FEED_CFA_SP_DEREF, /* x86-64: CFA = *(sp + offset) + 8 (OpenSSL's assembly keeps the old sp so) */
	FEED_CFA_PLT,	   /* x86-64: CFA = sp + offset, 8 more from the 11th byte of a 16-byte slot on */
	FEED_CFA_SIGNAL,   /* a signal's frame: the registers are in the ucontext at sp + offset */
	FEED_CFA_OTHER,	   /* described by more than a row can hold: the agent must walk it */
};

enum feed_fp {
	FEED_FP_SAME,  /* as in the callee */
	FEED_FP_SAVED, /* at CFA + fp_offset * 8 */
	FEED_FP_AT_FP, /* x86-64: at fp + fp_offset * 8 (realigned frames) */
	/* aarch64, the return address no longer in lr: */
	FEED_FP_RECORD, /* at CFA + fp_offset * 8, and in the next word the return address */
	FEED_FP_LR,	/* as in the callee; the return address at CFA + fp_offset * 8 */
	FEED_FP_APART,	/* at CFA + the low byte * 8, the return address at CFA + the high byte * 8 */
};

/* Holds from start to the next row's. The last row of an object is a FEED_CFA_NONE. */
struct feed_row {
	uint32_t start;	    /* link-time address less the object's base */
	int32_t cfa_offset;
	int16_t fp_offset;  /* in words of 8 bytes */
	uint8_t cfa;	    /* enum feed_cfa */
	uint8_t fp;	    /* enum feed_fp */
};

/*
 * Behind an object's rows: for each FEED_INDEX_BYTES of its code, up to the one that holds the last
 * row's start, the number of the row that covers the first of them; and once more the last row's.
 */
#define FEED_INDEX_BYTES 256U

static inline uint64_t feed_index_count(uint32_t last_start)
{
	return last_start / FEED_INDEX_BYTES + 2ULL;
}

/* An executable mapping. */
struct feed_mapping {
	uint64_t start, end;  /* addresses in the process */
	uint64_t base;	      /* address in the process that row.start counts from */
	uint32_t rows_offset; /* in the tables; rows ascend by start, the first has start 0; behind
				 them is their index */
	uint32_t row_count;   /* 0: the agent must walk it; FEED_FRAME_POINTERS: code made at run time */
};
#define FEED_FRAME_POINTERS UINT32_MAX

struct feed_snapshot {
	uint32_t maps_epoch; /* that it was made for: another one now means do not use it */
	uint32_t count;
	struct feed_mapping mappings[]; /* ascending, disjoint */
};

_Static_assert(sizeof(struct feed_row) == 12, "rows are 12 bytes");

#endif
