/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_table.h - one look-up and one step. Context: HANDLER. Private to unwind*.c and their
 * tests.
 */
#ifndef SPANPROF_SHIM_UNWIND_TABLE_H
#define SPANPROF_SHIM_UNWIND_TABLE_H

#include "shim/unwind.h"

#define UNWIND_WORD sizeof(uintptr_t)

enum unwind_step {
	UNWIND_STEPPED,
	UNWIND_ROOT,  /* the cursor is at the outermost frame */
	UNWIND_STUCK, /* no table, a rule that a row cannot hold, or a value that cannot be right */
};

/* The mapping that holds pc, copied; false: none, or the tables make no sense. */
bool unwind_find_mapping(const struct unwind_tables *tables, uintptr_t pc,
			 struct feed_mapping *mapping);
/* The row for pc, which lies in mapping, copied. */
bool unwind_find_row(const struct unwind_tables *tables, const struct feed_mapping *mapping,
		     uintptr_t pc, struct feed_row *row);

/* The steps of the machine that this runs on: unwind_x86_64.c, or unwind_aarch64.c under its name.
 */
enum unwind_step unwind_apply(struct unwind_cursor *cursor, struct unwind_stack *stack,
			      const struct feed_row *row);
enum unwind_step unwind_frame_pointer(struct unwind_cursor *cursor, struct unwind_stack *stack);
/* As a return does: the word at sp is the caller's pc; with_fp: the one above, and that at sp is fp. */
bool unwind_pop(struct unwind_cursor *cursor, struct unwind_stack *stack, bool with_fp);
/* aarch64's on any machine: they read nothing but the cursor, the row and the stack. */
enum unwind_step unwind_aarch64_apply(struct unwind_cursor *cursor, struct unwind_stack *stack,
				      const struct feed_row *row);
enum unwind_step unwind_aarch64_frame_pointer(struct unwind_cursor *cursor,
					      struct unwind_stack *stack);

/*
 * Upon a return address that no call has left: zero, a function's first byte. A thread's own stack ends
 * where a description says so: such a one elsewhere is what a walk finds that went astray. A stack made by
 * hand may begin with one.
 */
static inline enum unwind_step unwind_no_caller(const struct unwind_stack *stack)
{
	return stack->foreign ? UNWIND_ROOT : UNWIND_STUCK;
}

#endif
