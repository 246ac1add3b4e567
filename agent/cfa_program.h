/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks call-frame instructions (DWARF 5, 6.4.2) before an interpreter that trusts them runs.
 *
 * AGENT. Pure: a function of the bytes given. Knows which operands each instruction has and which
 * of them index something; computes no frame.
 */
#ifndef SPANPROF_AGENT_CFA_PROGRAM_H
#define SPANPROF_AGENT_CFA_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cfa_bytes {
	const uint8_t *at, *end;
};

/* false: the bytes end first. A LEB128 number over 64 bits is false, too. */
bool cfa_u8(struct cfa_bytes *b, uint8_t *out);
bool cfa_uleb(struct cfa_bytes *b, uint64_t *out);
bool cfa_sleb(struct cfa_bytes *b, int64_t *out);
bool cfa_skip(struct cfa_bytes *b, uint64_t n);

/* Bytes of a pointer so encoded (DW_EH_PE_*), whatever it is relative to; 0: of no fixed size. */
size_t cfa_pointer_size(uint8_t encoding);

/*
 * Whether the instructions in [at, end) can be run: complete, registers below their number,
 * states remembered at most so deep, expressions without division or jumps.
 */
bool cfa_program_safe(const uint8_t *at, const uint8_t *end, uint8_t pointer_encoding,
		      unsigned int registers, unsigned int remembered_max);

#endif
