/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack.h - call stacks as the agent keeps them, and a set that has each of them once. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_STACK_H
#define SPANPROF_AGENT_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module;

/* One frame: an address in an object as linked. exact: not a return address. */
struct frame {
	struct module *module;
	uint64_t vaddr;
	bool exact;
};

/* An immutable, shared call stack, leaf first. */
struct stack {
	unsigned references;
	uint32_t hash;
	uint32_t count;
	bool truncated;
	struct frame frames[];
};

/* A new stack with one reference, or NULL. */
struct stack *stack_new(const struct frame *frames, size_t count, bool truncated);
void stack_put(struct stack *stack);
size_t stack_bytes(const struct stack *stack);

/* Distinct stacks, a reference to each. All zero: empty. */
struct stacks {
	struct stack **slots; /* open addressing; NULL: free */
	size_t slot_count, count, bytes;
};

/* The one that equals stack, which is taken in if none does; NULL: there is no room below bytes_max, or
 * no memory. The reference stays the set's. */
struct stack *stacks_intern(struct stacks *s, struct stack *stack, size_t bytes_max);
void stacks_release(struct stacks *s);

#endif
