/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_code.c - a sample in code made at run time often falls before "push rbp; mov rbp, rsp" or
 * behind "pop rbp", above all in short functions. There rbp is the caller's, and a step by it skips
 * the caller. The instructions tell. HANDLER. x86-64.
 *
 * Bytes are compared, not decoded, so a pattern may be part of something else: the caller of this
 * also wants a return address where the pattern says that there is one.
 */
#include "shim/peek.h"
#include "shim/unwind_code.h"
#include "shim/sigsafe.h"

#define PUSH_RBP 0x55
#define POP_RBP 0x5d
#define LEAVE 0xc9
#define RET 0xc3
#define RET_POPS 0xc2 /* and pops arguments */
#define INT3 0xcc
#define CALL_NEAR 0xe8
#define CALL_INDIRECT 0xff /* with 2 in the middle field of the byte that follows */
#define MODRM_MIDDLE 0x38
#define MODRM_CALL 0x10
#define EPILOGUE_MAX 12 /* from the pop to here, and from here to the return */

/* mov rbp, rsp, of which there are two encodings. */
static bool sets_rbp(const uint8_t *p)
{
	return p[0] == 0x48 && ((p[1] == 0x89 && p[2] == 0xe5) || (p[1] == 0x8b && p[2] == 0xec));
}

static bool in_epilogue(const uint8_t *pc)
{
	bool popped = false;

	for (int i = 1; i <= EPILOGUE_MAX; i++)
		popped |= pc[-i] == POP_RBP || pc[-i] == LEAVE;
	if (pc[0] == RET || pc[0] == RET_POPS)
		return true;
	for (int i = 1; popped && i < EPILOGUE_MAX; i++)
		if (pc[i] == RET || pc[i] == RET_POPS)
			return true;
	return false;
}

enum unwind_frame unwind_code_frame(const uint8_t code[UNWIND_CODE_BEFORE + UNWIND_CODE_AFTER])
{
	const uint8_t *pc = code + UNWIND_CODE_BEFORE;

	if (pc[-1] == PUSH_RBP && sets_rbp(pc))
		return UNWIND_FRAME_PUSHED;
	if (in_epilogue(pc))
		return UNWIND_FRAME_NONE;
	/* What a runtime checks first comes before it; what fills up between functions ends the
	 * search. */
	for (int i = 0; i + 4 <= UNWIND_CODE_AFTER && !(pc[i] == INT3 && pc[i + 1] == INT3); i++)
		if (pc[i] == PUSH_RBP && sets_rbp(pc + i + 1))
			return UNWIND_FRAME_NONE;
	return UNWIND_FRAME_UP;
}

bool unwind_code_is_call(const uint8_t before[UNWIND_CALL_MAX])
{
	if (before[UNWIND_CALL_MAX - 5] == CALL_NEAR)
		return true;
	for (int n = 2; n <= 7; n++)
		if (before[UNWIND_CALL_MAX - n] == CALL_INDIRECT &&
		    (before[UNWIND_CALL_MAX - n + 1] & MODRM_MIDDLE) == MODRM_CALL)
			return true;
	return false;
}

const uint8_t *unwind_code_read(uint64_t *words, uintptr_t address, size_t n)
{
	uintptr_t from = address & ~(uintptr_t)7;
	size_t size = (address + n - from + 7) & ~(size_t)7;

	return peek_copy(words, from, size) == size ? (const uint8_t *)words + (address - from) : NULL;
}
