/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the tables that an agent published, any registers and stack: the handler's walk reads
 * nothing outside of either, and ends. An input is struct head, then the tables.
 */
#include "shim/unwind.h"

#include <stdlib.h>
#include <string.h>

#include "shim/unwind_stack.h"

#define CODE 0x10000
#define FRAMES 32
#define WORDS 64

struct head {
	uint16_t pc, sp, fp; /* and the words of the stack: odd: relative to the stack, even: to the code */
	uint16_t how;        /* 1: execution is at pc; 2: the walk may cross to other stacks; 4: it begins on one */
	uint16_t stack[WORDS];
	uint16_t snapshot, epoch;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t widen(const uint64_t *stack, uint16_t v)
{
	return v % 2 ? (uintptr_t)stack + v / 2 % (WORDS * sizeof(*stack) + 16) : CODE + v;
}

static void walk(const struct head *head, const struct unwind_tables *tables, const uint64_t *stack)
{
	struct unwind_cursor cursor = {.pc = widen(stack, head->pc),
				       .sp = widen(stack, head->sp | 1),
				       .fp = widen(stack, head->fp),
				       .exact = head->how & 1};
	uintptr_t low = (uintptr_t)stack, high = low + WORDS * sizeof(*stack);
	struct unwind_stack bounds = {.low = low, .high = high};
	uint64_t *frames = malloc(FRAMES * sizeof(*frames));
	size_t n, max = 1 + head->how / 8 % FRAMES;
	bool complete;

	if (!frames)
		abort();
	if (head->how & 2)
		unwind_stack_init(&bounds, low, head->how & 4 ? low + 64 : high, cursor.sp);
	n = unwind_frames(cursor, &bounds, tables, frames, max, &complete);
	if (!n || n > max)
		abort();
	free(frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct head head;
	struct unwind_tables tables;
	uint8_t *copy;
	uint64_t *stack;

	if (size < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	size -= sizeof(head);
	/* Both of their own size, so that ASan sees the byte behind them. */
	copy = malloc(size ? size : 1);
	stack = malloc(WORDS * sizeof(*stack));
	if (!copy || !stack)
		abort();
	memcpy(copy, data + sizeof(head), size);
	for (size_t i = 0; i < WORDS; i++)
		stack[i] = head.stack[i] ? widen(stack, head.stack[i]) : 0;
	tables = (struct unwind_tables){
	    .base = copy, .size = size, .snapshot = head.snapshot, .maps_epoch = head.epoch};
	walk(&head, &tables, stack);
	free(stack);
	free(copy);
	return 0;
}
