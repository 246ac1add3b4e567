/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_code.h - what the instructions at hand say about a frame that nobody describes. Context:
 * HANDLER. Private to unwind.c and its tests.
 */
#ifndef SPANPROF_SHIM_UNWIND_CODE_H
#define SPANPROF_SHIM_UNWIND_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNWIND_CODE_BEFORE 16 /* bytes of code that are looked at on either side of a pc */
#define UNWIND_CODE_AFTER 48
#define UNWIND_CALL_MAX 8 /* the longest call, and what is read before a return address */

enum unwind_frame {
	UNWIND_FRAME_UP,     /* as far as can be told, rbp is this function's */
	UNWIND_FRAME_NONE,   /* before its push or after its pop: the return address is at rsp */
	UNWIND_FRAME_PUSHED, /* rbp is pushed, but not yet set: the return address is above it */
};

/* pc is where code[UNWIND_CODE_BEFORE] comes from. */
enum unwind_frame unwind_code_frame(const uint8_t code[UNWIND_CODE_BEFORE + UNWIND_CODE_AFTER]);
/* Whether the bytes end in a call: what follows them is a return address. */
bool unwind_code_is_call(const uint8_t before[UNWIND_CALL_MAX]);
/* The n bytes of code at address, in words; NULL: they cannot be read (some mappings can only be
 * executed).
 */
const uint8_t *unwind_code_read(uint64_t *words, uintptr_t address, size_t n);
/* For n bytes that may begin and end within words. */
#define UNWIND_CODE_WORDS(n) ((n) / 8 + 1)

#endif
