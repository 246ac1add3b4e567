/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_stack.c - which stack a walk is on, and words of it. HANDLER. Whether a foreign stack is one,
 * where it ends, and whether its pages stay mapped, nobody says: so the kernel copies its words, a
 * window at a time, and says no instead of faulting.
 */
#include "shim/peek.h"
#include "shim/unwind_stack.h"
#include "shim/sigsafe.h"

#define WORD sizeof(uintptr_t)

/* A foreign stack may lie right below the thread's own (the kernel maps top down), and is not that. */
static uintptr_t foreign_end(const struct unwind_stack *stack, uintptr_t address)
{
	uintptr_t end = address + UNWIND_FOREIGN_MAX;

	return address < stack->own_low && stack->own_low < end ? stack->own_low : end;
}

static void enter(struct unwind_stack *stack, uintptr_t address)
{
	address &= ~(uintptr_t)(WORD - 1);
	stack->foreign = address < stack->own_low || address >= stack->own_high;
	stack->low = address;
	stack->high = stack->foreign ? foreign_end(stack, address) : stack->own_high;
	stack->window_at = 0;
}

void unwind_stack_init(struct unwind_stack *stack, uintptr_t low, uintptr_t high, uintptr_t address)
{
	stack->own_low = low;
	stack->own_high = high;
	stack->crossed = false;
	enter(stack, address);
}

bool unwind_stack_cross(struct unwind_stack *stack, uintptr_t address)
{
	if (!stack->own_high || (address >= stack->low && address < stack->high) ||
	    address < PEEK_PAGE || address > UINTPTR_MAX / 2)
		return false;
	enter(stack, address);
	stack->crossed = true;
	return true;
}

bool unwind_stack_interrupted(struct unwind_stack *stack, uintptr_t frame, uintptr_t sp,
			      uintptr_t red_zone)
{
	if (sp <= frame || sp >= stack->high)
		return unwind_stack_cross(stack, sp - red_zone);
	/* The same stack, or one that lies above it: as much of it, then, as of any. */
	if (stack->foreign)
		stack->high = foreign_end(stack, sp);
	return true;
}

bool unwind_stack_load_window(struct unwind_stack *stack, uintptr_t address, uintptr_t *value)
{
	uintptr_t at = address & ~(uintptr_t)(UNWIND_WINDOW - 1);

	if (at != stack->window_at) {
		stack->window_at = 0;
		if (peek_copy(stack->window, at, UNWIND_WINDOW) != UNWIND_WINDOW)
			return false;
		stack->window_at = at;
	}
	*value = stack->window[(address - at) / WORD];
	return true;
}
