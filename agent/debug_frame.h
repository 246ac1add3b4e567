/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .debug_frame, which debuggers read, said as .eh_frame says it, which all else here reads.
 *
 * AGENT. Pure: a function of bytes that nobody vouches for. What it makes is no less hostile than what
 * it was made from: whoever reads .eh_frame checks it.
 */
#ifndef SPANPROF_AGENT_DEBUG_FRAME_H
#define SPANPROF_AGENT_DEBUG_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define DEBUG_FRAME_CIES_MAX (64u << 10)

/* A transcription is never longer than so many times its original. */
#define DEBUG_FRAME_GROWTH 2

/*
 * The records of .debug_frame into out, which has room for DEBUG_FRAME_GROWTH times len and will appear
 * at link-time address vaddr; no terminator. Returns how many bytes; 0 when nothing can be used, or
 * without memory. Of DWARF 2 to 5, 32-bit and 64-bit; what has an augmentation, another size of
 * addresses or segments, or is malformed, is left out; after a broken size nothing more is believed.
 */
size_t debug_frame_transcribe(const uint8_t *bytes, size_t len, uint64_t vaddr, uint8_t *out);

#endif
