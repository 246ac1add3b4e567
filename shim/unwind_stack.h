/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_stack.h - the memory that a walk may read: the thread's own stack, or another. Context:
 * HANDLER. Private to the walk, and to sample.c which begins one.
 */
#ifndef SPANPROF_SHIM_UNWIND_STACK_H
#define SPANPROF_SHIM_UNWIND_STACK_H

#include "shim/unwind.h"

/* How far above where it was entered a foreign stack's frames are looked for. */
#define UNWIND_FOREIGN_MAX (8UL << 20)

/* The stack that address is on, which is the lowest to be read; the thread's own is [low, high). */
void unwind_stack_init(struct unwind_stack *stack, uintptr_t low, uintptr_t high,
		       uintptr_t address);
/* The same for a walk that goes on at address; false: that is on the stack it is on, or it may not.
 */
bool unwind_stack_cross(struct unwind_stack *stack, uintptr_t address);
/* For a walk that leaves a signal's frame at sp, above it or, if the handler's stack was an alternate
 * one, anywhere; what is below sp by a red zone still counts. False: it may not. */
bool unwind_stack_interrupted(struct unwind_stack *stack, uintptr_t frame, uintptr_t sp,
			      uintptr_t red_zone);
/* Private to the next. */
bool unwind_stack_load_window(struct unwind_stack *stack, uintptr_t address, uintptr_t *value);

/* The word at an address, if it is one of the stack's. Inline: two of them are most of a step. */
static inline bool unwind_stack_load(struct unwind_stack *stack, uintptr_t address,
				     uintptr_t *value)
{
	if (address < stack->low || address > stack->high - sizeof(*value) ||
	    address % sizeof(*value))
		return false;
	if (stack->foreign)
		return unwind_stack_load_window(stack, address, value);
	*value = __atomic_load_n((const uintptr_t *)address, __ATOMIC_RELAXED);
	return true;
}

#endif
